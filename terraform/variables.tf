variable "alerts" {
  description = "Who is told when something is wrong: mail addresses, and ids of notification channels that exist."
  type = object({
    emails   = optional(list(string), [])
    channels = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for email in var.alerts.emails : can(regex("^[^@\\s]+@[^@\\s]+$", email))])
    error_message = "Write alerts.emails as plain addresses, such as oncall@example.com."
  }
  validation {
    condition     = alltrue([for id in var.alerts.channels : can(regex("^projects/[^/]+/notificationChannels/[^/]+$", id))])
    error_message = "Write alerts.channels as projects/PROJECT/notificationChannels/ID: `gcloud beta monitoring channels list` shows them."
  }
}

variable "deletion_protection" {
  description = "Refuse to destroy the front, the store and its secrets. Set it to false and apply before `terraform destroy`."
  type        = bool
  default     = true
  nullable    = false
}

variable "front" {
  description = "The front on Cloud Run."
  type = object({
    invokers      = optional(list(string), []) # IAM members who may call it
    ingress       = optional(string, "internal")
    min_instances = optional(number, 2)
    max_instances = optional(number, 20)
    concurrency   = optional(number, 500)
    cpu           = optional(number, 2) # with metrics the collector beside it takes one more
    memory        = optional(string, "512Mi")
    deadline_ms   = optional(number, 50)
    metrics       = optional(bool, true)
    # Secrets of yours in Secret Manager (secret ids of this project), mounted as files.
    tokens_secret = optional(string) # the file of --tokens
    key_secret    = optional(string) # the file of --key-secret-file
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["internal", "load-balancer", "all"], var.front.ingress)
    error_message = "front.ingress is one of internal (this VPC), load-balancer (and an internal or external Application Load Balancer), all (the internet)."
  }
  validation {
    condition     = alltrue([for member in var.front.invokers : can(regex("^(allUsers|allAuthenticatedUsers|(user|group|serviceAccount|domain|principal|principalSet):.+)$", member))])
    error_message = "Write front.invokers as IAM members, such as serviceAccount:api@PROJECT.iam.gserviceaccount.com or group:team@example.com."
  }
  validation {
    condition     = var.front.ingress == "internal" || length(setintersection(var.front.invokers, ["allUsers", "allAuthenticatedUsers"])) == 0
    error_message = "Everybody on the internet could spend your limits: name service accounts in front.invokers, or set front.ingress = \"internal\"."
  }
  validation {
    condition     = var.front.min_instances >= 1 && var.front.min_instances <= var.front.max_instances
    error_message = "Choose 1 <= front.min_instances <= front.max_instances: the first check must not wait for a start, which takes seconds."
  }
  validation {
    condition     = var.front.concurrency >= 1 && var.front.concurrency <= 1000
    error_message = "Choose front.concurrency from 1 to 1000, the most that Cloud Run allows."
  }
  validation {
    condition     = contains([1, 2, 4, 6], var.front.cpu)
    error_message = "Choose front.cpu from 1, 2, 4, 6: whole processors, one for each worker. Cloud Run gives an instance 8, of which the collector has one."
  }
  validation {
    condition = anytrue([
      var.front.memory == "512Mi" && var.front.cpu <= 2,
      try(tonumber(one(regex("^(.+)Gi$", var.front.memory))) >= max(1, var.front.cpu - 2) && tonumber(one(regex("^(.+)Gi$", var.front.memory))) <= 4 * var.front.cpu, false),
    ])
    error_message = "Write front.memory as 512Mi (enough, with front.cpu 1 or 2) or in Gi, at least 2Gi for front.cpu 4 and 4Gi for 6, at most 4Gi for each processor: Cloud Run's own bounds."
  }
  validation {
    condition     = var.front.deadline_ms >= 1 && var.front.deadline_ms <= 4000
    error_message = "Choose front.deadline_ms from 1 to 4000: Cloud Run gives up a request after 5 s."
  }
}

variable "images" {
  description = "What runs: scripts/deploy writes it into images.auto.tfvars.json. Without an image all else is made, the registry that it goes to too."
  type = object({
    front = optional(string)
    redis = optional(string) # store = "vm"
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for image in values(var.images) : image == null || can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "Name images by digest (...@sha256:...), so that each machine, and a roll-back, finds the same: scripts/deploy does."
  }
}

variable "labels" {
  description = "Labels on every resource that takes them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}$", "${key}=${value}"))])
    error_message = "Write labels in lower-case letters, digits, _ and -, at most 63 of them, keys beginning with a letter."
  }
}

variable "name" {
  description = "Begins the name of every resource."
  type        = string
  default     = "rl"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,14}[a-z0-9]$", var.name))
    error_message = "Choose a name of 2 to 16 lower-case letters, digits and hyphens that begins with a letter and ends with none of the hyphens."
  }
}

variable "network" {
  description = "Where it all is. Without an id a VPC is made; with one, only subnets in it."
  type = object({
    id         = optional(string) # projects/PROJECT/global/networks/NAME
    front_cidr = optional(string, "10.64.0.0/24")
    store_cidr = optional(string, "10.64.1.0/28")
    # How a VPC reaches Google's stores, of which it has at most one of a kind: private services access (redis), a service
    # connection policy for gcp-memorystore in the region (valkey). False if it has it already.
    connection = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.network.id == null || can(regex("^projects/[^/]+/global/networks/[^/]+$", var.network.id))
    error_message = "Write network.id as projects/PROJECT/global/networks/NAME."
  }
  validation {
    condition     = var.network.id == null || startswith(coalesce(var.network.id, "-"), "projects/${var.project_id}/")
    error_message = "Give a network of project_id itself in network.id: subnets and firewall rules of a Shared VPC are its host project's to make."
  }
  validation {
    condition     = var.network.connection || var.network.id != null
    error_message = "A VPC that is made here has no connection yet: network.connection = false is for one that exists, named by network.id."
  }
  validation {
    condition     = alltrue([for cidr in [var.network.front_cidr, var.network.store_cidr] : try(cidrsubnet(cidr, 0, 0) == cidr && can(cidrnetmask(cidr)), false)])
    error_message = "Write network.front_cidr and network.store_cidr as IPv4 ranges by their first address, such as 10.64.0.0/24."
  }
  validation {
    condition     = try(tonumber(split("/", var.network.front_cidr)[1]) <= 26, false)
    error_message = "network.front_cidr must be a /26 or larger: Cloud Run asks for that."
  }
  validation {
    condition     = try(4 * var.front.max_instances <= pow(2, 32 - tonumber(split("/", var.network.front_cidr)[1])), true)
    error_message = "Widen network.front_cidr or lower front.max_instances: an instance takes two addresses, and while a new revision takes over there are twice as many."
  }
  validation {
    condition     = try(tonumber(split("/", var.network.store_cidr)[1]) <= 29, false)
    error_message = "network.store_cidr must be a /29 or larger: the smallest subnet that Google makes."
  }
  validation {
    # Equal once cut to the shorter of their prefixes.
    condition = try(length(distinct([for cidr in [var.network.front_cidr, var.network.store_cidr] : cidrhost("${split("/", cidr)[0]}/${min(
      tonumber(split("/", var.network.front_cidr)[1]), tonumber(split("/", var.network.store_cidr)[1])
    )}", 0)])) == 2, true)
    error_message = "network.front_cidr and network.store_cidr overlap: move one."
  }
}

variable "policies_file" {
  description = "The policy file (docs/front.md), on this machine. Without one, policies.toml beside this."
  type        = string
  default     = null

  validation {
    condition     = var.policies_file == null || can(file(var.policies_file))
    error_message = "There is no such file: give policies_file relative to terraform/, or in full."
  }
}

variable "project_id" {
  description = "The project that all this is made in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "Give the project's id, not its name or number: `gcloud projects list` shows it."
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
    error_message = "redis.tier is STANDARD_HA (a replica in another zone takes over) or BASIC (one node; trials only)."
  }
  validation {
    condition     = var.redis.memory_gb >= 1 && var.redis.memory_gb <= 300
    error_message = "Choose redis.memory_gb from 1 to 300."
  }
  validation {
    condition     = contains(["REDIS_6_X", "REDIS_7_0", "REDIS_7_2"], var.redis.version)
    error_message = "redis.version is one of REDIS_6_X, REDIS_7_0, REDIS_7_2."
  }
}

variable "region" {
  description = "The region of every resource."
  type        = string
  default     = "europe-west1"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "Give a region, such as europe-west1, not a zone."
  }
}

variable "store" {
  description = "What holds the buckets: redis (Memorystore for Redis, scripts), valkey (Memorystore for Valkey, a cluster, scripts) or vm (Redis with the module on a VM of yours)."
  type        = string
  default     = "redis"
  nullable    = false

  validation {
    condition     = contains(["redis", "valkey", "vm"], var.store)
    error_message = "store is one of redis, valkey, vm."
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
    condition     = contains(["SHARED_CORE_NANO", "STANDARD_SMALL", "HIGHMEM_MEDIUM", "HIGHMEM_XLARGE"], var.valkey.node_type)
    error_message = "valkey.node_type is one of STANDARD_SMALL, HIGHMEM_MEDIUM, HIGHMEM_XLARGE; SHARED_CORE_NANO for trials only."
  }
  validation {
    condition     = var.valkey.shards >= 1 && var.valkey.shards * (1 + var.valkey.replicas) <= 250
    error_message = "Choose valkey.shards and valkey.replicas so that shards * (1 + replicas) is at most 250."
  }
  validation {
    condition     = contains([0, 1, 2, 3, 4, 5], var.valkey.replicas)
    error_message = "Choose valkey.replicas from 0 to 5; with 0 nobody takes over when a node dies."
  }
  validation {
    condition     = contains(["VALKEY_7_2", "VALKEY_8_0", "VALKEY_9_0"], var.valkey.version)
    error_message = "valkey.version is one of VALKEY_7_2, VALKEY_8_0, VALKEY_9_0."
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
    error_message = "Give vm.zone as the letter alone, such as b: the region is region."
  }
  validation {
    condition     = can(regex("^(e2|n1|n2|n2d|c2|c2d|c3|c3d|m1|m2|m3)-", var.vm.machine_type))
    error_message = "Choose a vm.machine_type of x86 that takes Persistent Disks (e2, n1, n2, n2d, c2, c2d, c3, c3d, m1, m2, m3), such as n2-standard-2."
  }
  validation {
    condition     = var.vm.disk_gb >= 10
    error_message = "Choose vm.disk_gb of 10 or more: the append-only file is written anew beside the old one."
  }
}
