# Redis with the module on a VM: the fastest checks, in one zone. Callers are on the internet, with
# identity tokens.
project_id = "my-project"
store      = "vm"

vm = {
  machine_type = "n2-standard-4"
  zone         = "c"
  disk_gb      = 50
}
front = {
  ingress       = "all"
  invokers      = ["group:api-clients@example.com"]
  tokens_secret = { secret = "rl-tokens", version = "1" }
}
alerts = {
  emails = ["oncall@example.com"]
}
