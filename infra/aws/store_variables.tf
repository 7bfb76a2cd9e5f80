# The bucket and the bus.

variable "bucket_name" {
  description = "The bucket's name. Without one it begins with the name of all, and AWS makes the rest."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether `terraform destroy` may delete the bucket with the profiles in it."
  type        = bool
  default     = false
}

variable "versioning" {
  description = "Whether the bucket keeps what was overwritten and deleted, and for how many days. Each merge writes a base anew, and each upload is deleted when it is merged, so this costs space."
  type = object({
    enabled = bool
    days    = optional(number, 7)
  })
  default = { enabled = false }

  validation {
    condition     = var.versioning.days >= 1
    error_message = "Versions are kept for a day at the least."
  }
}

variable "fifo" {
  description = "Whether topic and queues are FIFO. FIFO keeps the order within an application, and merges of one application do not race each other. Standard ones are cheaper and take more; merges are as exact."
  type        = bool
  default     = true
}

variable "batch_size" {
  description = "How many messages a run of the worker gets at the most: 1 to 10 from a FIFO queue, to 10000 from a standard one."
  type        = number
  default     = 10

  validation {
    condition     = var.batch_size >= 1 && var.batch_size <= (var.fifo ? 10 : 10000)
    error_message = "A batch has 1 to 10 messages of a FIFO queue, or to 10000 of a standard one."
  }
}

variable "batch_window_seconds" {
  description = "For a standard queue: how long a batch is gathered. FIFO queues have no window. Batches of more than 10 need one."
  type        = number
  default     = 0

  validation {
    condition     = var.batch_window_seconds >= 0 && var.batch_window_seconds <= (var.fifo ? 0 : 300)
    error_message = "The window is 0 to 300 seconds, and 0 with FIFO."
  }

  validation {
    condition     = var.batch_size <= 10 || var.batch_window_seconds >= 1
    error_message = "Batches of more than 10 messages need a window of at least a second."
  }
}

variable "max_receive_count" {
  description = "How often a message is brought before it goes to the dead-letter queue. Throttled runs count, so a small number loses good messages to it."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 1000
    error_message = "A message is brought 5 to 1000 times."
  }
}
