# Memorystore for Valkey: a cluster, for more checks a second than one Redis can take, in an
# existing VPC. Lua scripts.
project_id = "my-project"
region     = "us-central1"
store      = "valkey"

network = {
  id         = "projects/my-project/global/networks/default"
  front_cidr = "10.64.0.0/22"
  store_cidr = "10.64.4.0/28"
}
valkey = {
  shards   = 5
  replicas = 1
}
front = {
  invokers      = ["serviceAccount:api@my-project.iam.gserviceaccount.com"]
  min_instances = 4
  max_instances = 100
  cpu           = 4
  memory        = "2Gi"
}
alerts = {
  channels = ["projects/my-project/notificationChannels/1234567890"]
}
