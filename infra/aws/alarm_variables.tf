# When somebody is told.

variable "alarms" {
  description = "Whether there are alarms. Without them your own monitoring has to see what they would."
  type        = bool
  default     = true
}

variable "alarm_actions" {
  description = "ARNs of what an alarm tells when it goes off and when it is over: topics of SNS, most often. Without one, alarms are only seen in the console."
  type        = list(string)
  default     = []
}

variable "oldest_message_alarm_seconds" {
  description = "How old the oldest message of the queue may be."
  type        = number
  default     = 900
}

variable "oldest_staged_alarm_seconds" {
  description = "How old the oldest upload that is not merged may be, as the sweep sees it. The sweep takes uploads from 5 minutes on (AUTOPGO_SWEEP_AFTER)."
  type        = number
  default     = 1800
}
