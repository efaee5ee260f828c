<?php
// Calls a line of docs/commands.md with a PHP client: see line.py.
$job = json_decode(stream_get_contents(STDIN));
if ($job->client === "Predis") {
    require "Predis/autoload.php";
}
$version = $job->client === "Predis" ? Predis\Client::VERSION : phpversion("redis");
[$host, $port] = ["127.0.0.1", $job->port];
foreach ($job->made as $place => $expression) {
    $value = eval("return $expression;");
    $client = $place === 0 ? $value : $client;
}
[$replies, $errors, $start] = [[], [], microtime(true)];
foreach ($job->keys as [$key, $other]) {
    try {
        $reply = eval("return $job->line;");
        if ($reply === false) {
            $errors[] = "false, and no exception: " . $client->getLastError();
        } elseif (is_string($reply)) {
            $errors[] = "a text, and no exception: $reply";
        } else {
            $replies[] = $reply;
        }
    } catch (Throwable $error) {
        $errors[] = get_class($error) . ": " . $error->getMessage();
    }
}
$ms = (microtime(true) - $start) * 1000 / count($job->keys);
echo json_encode(compact("version", "replies", "errors", "ms"));
