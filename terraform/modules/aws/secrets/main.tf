# Secrets Manager: what people and tools outside the cluster need to find again, such as the store's DSN. Values are
# written elsewhere (by hand, by rotation) unless they are given here, in which case they are stored in the state.

locals {
  # Whether a value is given is no secret; for_each refuses sensitive keys.
  valued = toset([for name in keys(var.secrets) : name if contains(nonsensitive(keys(var.values)), name)])
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57: Slipway's passwords are rotated by the steps in docs/security.md, which replace what follows from them; a function of Lambda cannot.
  for_each = var.secrets

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.recovery_window_days
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = local.valued

  secret_id     = aws_secretsmanager_secret.this[each.value].id
  secret_string = var.values[each.value]
}

# Reads exactly these, and decrypts with their key through Secrets Manager only.
resource "aws_iam_policy" "read" {
  name        = "${var.name}-read-secrets"
  description = "Reads the secrets of the Slipway installation ${var.name}"

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
        Resource = [for secret in aws_secretsmanager_secret.this : secret.arn]
      },
      {
        Effect    = "Allow"
        Action    = "kms:Decrypt"
        Resource  = var.kms_key_arn
        Condition = { StringLike = { "kms:ViaService" = "secretsmanager.*.amazonaws.com" } }
      },
    ]
  })
}
