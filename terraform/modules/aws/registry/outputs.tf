output "image_registry" {
  description = "Host and path of the images, for the image_registry of modules/slipway."
  value       = trimsuffix(aws_ecr_repository.this[local.first_image].repository_url, "/${local.first_image}")
}

output "repository_urls" {
  description = "By image, where it is pushed to."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.repository_url }
}

output "repository_arns" {
  description = "By image, the ARN of its repository, for policies."
  value       = { for image, repository in aws_ecr_repository.this : image => repository.arn }
}
