output "key_arn" {
  description = "ARN of the key, for the kms_key_arn of the other modules."
  value       = aws_kms_key.this.arn
}
