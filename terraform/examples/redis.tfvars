# Memorystore for Redis: one primary, a replica in another zone that takes over. Scripts.
project_id = "my-project"
store      = "redis"

front = {
  invokers = ["serviceAccount:api@my-project.iam.gserviceaccount.com"]
}
alerts = {
  emails = ["oncall@example.com"]
}
