# Memorystore for Redis: a primary, and a replica in another zone for failover. Lua scripts.
project_id = "my-project"
store      = "redis"

front = {
  invokers = ["serviceAccount:api@my-project.iam.gserviceaccount.com"]
}
alerts = {
  emails = ["oncall@example.com"]
}
