variable "alerts" {
  description = "Receivers of alerts: email addresses, and ids of existing notification channels."
  type = object({
    emails   = optional(list(string), [])
    channels = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for email in var.alerts.emails : can(regex("^[^@\\s]+@[^@\\s]+$", email))
    ])
    error_message = "Each of alerts.emails must be a plain address, for example oncall@example.com."
  }
  validation {
    condition = alltrue([
      for id in var.alerts.channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", id))
    ])
    error_message = "Each of alerts.channels must be projects/PROJECT/notificationChannels/ID: see `gcloud beta monitoring channels list`."
  }
}

variable "deletion_protection" {
  description = "Whether to refuse to destroy the front, the store and their secrets. Set it to false and apply before `terraform destroy`."
  type        = bool
  default     = true
  nullable    = false
}

variable "front" {
  description = "The front on Cloud Run."
  type = object({
    invokers      = optional(list(string), []) # IAM members that may call it
    ingress       = optional(string, "internal")
    min_instances = optional(number, 2)
    max_instances = optional(number, 20)
    concurrency   = optional(number, 500)
    cpu           = optional(number, 2) # with metrics, one more for the collector
    memory        = optional(string, "512Mi")
    deadline_ms   = optional(number, 50)
    metrics       = optional(bool, true)
    # Your own secrets, mounted as files: ids in Secret Manager of this project. Each is mounted at
    # one version, so that all instances have the same tokens and pseudonyms.
    tokens_secret = optional(object({ secret = string, version = string })) # the file of --tokens
    key_secret    = optional(object({ secret = string, version = string })) # of --key-secret-file
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for secret in [var.front.tokens_secret, var.front.key_secret] :
      secret == null || can(regex("^[1-9][0-9]*$", secret.version))
    ])
    error_message = "The version of front.tokens_secret and front.key_secret must be a number: with latest, instances that start later would have other tokens or other buckets."
  }

  validation {
    condition     = contains(["internal", "load-balancer", "all"], var.front.ingress)
    error_message = "front.ingress must be internal (this VPC), load-balancer (also an internal or external Application Load Balancer) or all (the internet)."
  }
  validation {
    condition = alltrue([
      for member in var.front.invokers :
      can(regex("^(allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain|principal|principalSet):.+)$", member))
    ])
    error_message = "Each of front.invokers must be an IAM member, for example serviceAccount:api@PROJECT.iam.gserviceaccount.com or group:team@example.com."
  }
  validation {
    condition = (
      var.front.ingress == "internal"
      || length(setintersection(var.front.invokers, ["allUsers", "allAuthenticatedUsers"])) == 0
    )
    error_message = "Anyone on the internet could spend your limits: name service accounts in front.invokers, or set front.ingress = \"internal\"."
  }
  validation {
    condition = (
      var.front.min_instances >= 1
      && var.front.min_instances <= var.front.max_instances
    )
    error_message = "front.min_instances must be at least 1 and at most front.max_instances: with 0, the first check would wait seconds for an instance to start."
  }
  validation {
    condition     = var.front.concurrency >= 1 && var.front.concurrency <= 1000
    error_message = "front.concurrency must be from 1 to 1000, the maximum of Cloud Run."
  }
  validation {
    condition     = contains([1, 2, 4, 6], var.front.cpu)
    error_message = "front.cpu must be 1, 2, 4 or 6: whole processors, one for each worker. Cloud Run gives an instance at most 8, and the collector takes one."
  }
  validation {
    condition = anytrue([
      var.front.memory == "512Mi" && var.front.cpu <= 2,
      try(
        tonumber(one(regex("^(.+)Gi$", var.front.memory))) >= max(1, var.front.cpu - 2)
        && tonumber(one(regex("^(.+)Gi$", var.front.memory))) <= 4 * var.front.cpu,
        false
      ),
    ])
    error_message = "front.memory must be 512Mi (enough, with front.cpu 1 or 2) or in Gi: at least 2Gi for front.cpu 4 and 4Gi for 6, at most 4Gi for each processor. These are the bounds of Cloud Run."
  }
  validation {
    condition     = var.front.deadline_ms >= 1 && var.front.deadline_ms <= 4000
    error_message = "front.deadline_ms must be from 1 to 4000: Cloud Run ends a request after 5 s."
  }
}

variable "images" {
  description = "Images to run, written to images.auto.tfvars.json by scripts/deploy. Without them, everything that needs no image is created, including the repository for them."
  type = object({
    front = optional(string)
    redis = optional(string) # store = "vm"
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for image in values(var.images) : image == null || can(regex("@sha256:[0-9a-f]{64}$", image))
    ])
    error_message = "Images must be named by digest (...@sha256:...), as scripts/deploy does: every machine, and every roll-back, then runs the same image."
  }
}

variable "labels" {
  description = "Labels of every resource that can have labels."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for key, value in var.labels :
      can(regex("^[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}$", "${key}=${value}"))
    ])
    error_message = "Keys and values of labels must have at most 63 lower-case letters, digits, _ and -, and keys must start with a letter."
  }
}

variable "name" {
  description = "Prefix of the name of every resource."
  type        = string
  default     = "rl"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 16 lower-case letters, digits and hyphens, start with a letter and not end with a hyphen."
  }
}

variable "network" {
  description = "The network. Without an id, a VPC is created; with one, only subnets in it."
  type = object({
    id         = optional(string) # projects/PROJECT/global/networks/NAME
    front_cidr = optional(string, "10.64.0.0/24")
    store_cidr = optional(string, "10.64.1.0/28")
    # Whether to create the VPC's connection to Google's stores: private services access (redis), or
    # a service connection policy for gcp-memorystore in the region (valkey). A VPC can have only
    # one of each: false if it exists.
    connection = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition = (
      var.network.id == null
      || can(regex("^projects/[^/]+/global/networks/[^/]+$", var.network.id))
    )
    error_message = "network.id must be projects/PROJECT/global/networks/NAME."
  }
  validation {
    condition = (
      var.network.id == null
      || startswith(coalesce(var.network.id, "-"), "projects/${var.project_id}/")
    )
    error_message = "network.id must be a network of project_id itself: only the host project can create subnets and firewall rules in a Shared VPC."
  }
  validation {
    condition     = var.network.connection || var.network.id != null
    error_message = "network.connection = false is for an existing VPC, named by network.id: a VPC that is created here has no connection yet."
  }
  validation {
    condition = alltrue([
      for cidr in [var.network.front_cidr, var.network.store_cidr] :
      try(cidrsubnet(cidr, 0, 0) == cidr && can(cidrnetmask(cidr)), false)
    ])
    error_message = "network.front_cidr and network.store_cidr must be IPv4 ranges that start with their first address, for example 10.64.0.0/24."
  }
  validation {
    condition     = try(tonumber(split("/", var.network.front_cidr)[1]) <= 26, false)
    error_message = "network.front_cidr must be a /26 or larger, as Cloud Run requires."
  }
  validation {
    condition = try(
      4 * var.front.max_instances <= pow(2, 32 - tonumber(split("/", var.network.front_cidr)[1])),
      true
    )
    error_message = "Widen network.front_cidr or lower front.max_instances: each instance takes two addresses, and there are twice as many instances while a new revision takes over."
  }
  validation {
    condition     = try(tonumber(split("/", var.network.store_cidr)[1]) <= 29, false)
    error_message = "network.store_cidr must be a /29 or larger: Google has no smaller subnets."
  }
  validation {
    # Overlapping ranges are equal once cut to the shorter of their prefixes.
    condition = try(
      length(distinct([
        for cidr in [var.network.front_cidr, var.network.store_cidr] :
        cidrhost("${split("/", cidr)[0]}/${min(
          tonumber(split("/", var.network.front_cidr)[1]),
          tonumber(split("/", var.network.store_cidr)[1])
        )}", 0)
      ])) == 2,
      true
    )
    error_message = "network.front_cidr and network.store_cidr must not overlap."
  }
}

variable "policies_file" {
  description = "Path of the policy file (docs/front.md) on this machine; terraform/policies.toml by default."
  type        = string
  default     = null

  validation {
    condition     = var.policies_file == null || can(file(var.policies_file))
    error_message = "policies_file must exist. A relative path starts at terraform/."
  }
}

variable "project_id" {
  description = "Id of the project that everything is created in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be the id of a project, not its name or number: see `gcloud projects list`."
  }
}

variable "redis" {
  description = "Memorystore for Redis (store = \"redis\")."
  type = object({
    tier      = optional(string, "STANDARD_HA")
    memory_gb = optional(number, 5)
    version   = optional(string, "REDIS_7_2")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["STANDARD_HA", "BASIC"], var.redis.tier)
    error_message = "redis.tier must be STANDARD_HA (with a replica in another zone for failover) or BASIC (one node, for trials only)."
  }
  validation {
    condition     = var.redis.memory_gb >= 1 && var.redis.memory_gb <= 300
    error_message = "redis.memory_gb must be from 1 to 300."
  }
  validation {
    condition     = contains(["REDIS_6_X", "REDIS_7_0", "REDIS_7_2"], var.redis.version)
    error_message = "redis.version must be REDIS_6_X, REDIS_7_0 or REDIS_7_2."
  }
}

variable "region" {
  description = "Region of every resource."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, for example europe-west1, not a zone."
  }
}

variable "store" {
  description = "Store of the buckets: redis (Memorystore for Redis, with Lua scripts), valkey (Memorystore for Valkey, a cluster, with Lua scripts) or vm (Redis with the module on your own VM)."
  type        = string
  default     = "redis"
  nullable    = false

  validation {
    condition     = contains(["redis", "valkey", "vm"], var.store)
    error_message = "store must be redis, valkey or vm."
  }
}

variable "valkey" {
  description = "Memorystore for Valkey (store = \"valkey\")."
  type = object({
    node_type = optional(string, "STANDARD_SMALL")
    shards    = optional(number, 3)
    replicas  = optional(number, 1)
    version   = optional(string, "VALKEY_9_0")
  })
  default  = {}
  nullable = false

  validation {
    condition = contains(
      ["SHARED_CORE_NANO", "STANDARD_SMALL", "HIGHMEM_MEDIUM", "HIGHMEM_XLARGE"],
      var.valkey.node_type
    )
    error_message = "valkey.node_type must be STANDARD_SMALL, HIGHMEM_MEDIUM, HIGHMEM_XLARGE or, for trials only, SHARED_CORE_NANO."
  }
  validation {
    condition     = var.valkey.shards >= 1 && var.valkey.shards * (1 + var.valkey.replicas) <= 250
    error_message = "valkey.shards must be at least 1, and shards * (1 + replicas) at most 250."
  }
  validation {
    condition     = contains([0, 1, 2, 3, 4, 5], var.valkey.replicas)
    error_message = "valkey.replicas must be from 0 to 5. With 0, there is no failover when a node dies."
  }
  validation {
    condition     = contains(["VALKEY_7_2", "VALKEY_8_0", "VALKEY_9_0", "VALKEY_9_1"], var.valkey.version)
    error_message = "valkey.version must be VALKEY_7_2, VALKEY_8_0, VALKEY_9_0 or VALKEY_9_1."
  }
}

variable "vm" {
  description = "Redis with the module on a VM (store = \"vm\")."
  type = object({
    machine_type = optional(string, "n2-standard-2")
    zone         = optional(string, "b")
    disk_gb      = optional(number, 20)
  })
  default  = {}
  nullable = false

  validation {
    condition     = can(regex("^[a-f]$", var.vm.zone))
    error_message = "vm.zone must be only the letter of a zone in var.region, for example b."
  }
  validation {
    condition     = can(regex("^(e2|n1|n2|n2d|c2|c2d|c3|c3d|m1|m2|m3)-", var.vm.machine_type))
    error_message = "vm.machine_type must be an x86 type that supports Persistent Disks (e2, n1, n2, n2d, c2, c2d, c3, c3d, m1, m2, m3), for example n2-standard-2."
  }
  validation {
    condition     = var.vm.disk_gb >= 10
    error_message = "vm.disk_gb must be at least 10: a rewrite of the append-only file needs space beside the old one."
  }
}
