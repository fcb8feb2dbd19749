# One ECR repository an image, under one path: the chart asks for REGISTRY/runtime, REGISTRY/operator and so on, and is
# itself pushed to REGISTRY/charts. ECR makes no repository when something is pushed.

resource "aws_ecr_repository" "this" {
  for_each = var.images

  name                 = "${var.name}/${each.value}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.force_delete

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "Layers that no tag names"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 14 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "All but the newest"
        selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = var.keep_images }
        action       = { type = "expire" }
      },
    ]
  })
}

# Nodes of the same account pull by their own role. Whoever else pushes or pulls is named here.
resource "aws_ecr_repository_policy" "this" {
  for_each = length(var.push_principal_arns) + length(var.pull_principal_arns) > 0 ? aws_ecr_repository.this : {}

  repository = each.value.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      length(var.pull_principal_arns) == 0 ? [] : [{
        Sid       = "Pull"
        Effect    = "Allow"
        Principal = { AWS = sort(var.pull_principal_arns) }
        Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      }],
      length(var.push_principal_arns) == 0 ? [] : [{
        Sid       = "Push"
        Effect    = "Allow"
        Principal = { AWS = sort(var.push_principal_arns) }
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload",
          "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
      }],
    )
  })
}

locals {
  # All repositories share host and path; any of them tells.
  first_image = sort(var.images)[0]
}
