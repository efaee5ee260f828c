-- Every check is answered, whatever the outcome of the others.

return reply
