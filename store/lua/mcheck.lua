-- Each check is answered, whatever came of the others.

return reply
