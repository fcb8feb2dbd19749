mock_provider "aws" {}

variables {
  name        = "slipway-dev"
  kms_key_arn = "arn:aws:kms:eu-central-1:111111111111:key/00000000-0000-0000-0000-000000000000"
}

run "one_repository_an_image_that_the_chart_asks_for" {
  command = plan

  assert {
    condition     = sort([for repository in aws_ecr_repository.this : repository.name]) == tolist(["slipway-dev/charts/slipway", "slipway-dev/chroma", "slipway-dev/operator", "slipway-dev/postgres", "slipway-dev/runtime", "slipway-dev/standalone"])
    error_message = "There must be a repository for each image of the chart, below one path."
  }
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.image_tag_mutability == "IMMUTABLE" && repository.image_scanning_configuration[0].scan_on_push])
    error_message = "A tag must not move, and what is pushed must be scanned."
  }
  assert {
    condition     = alltrue([for repository in aws_ecr_repository.this : repository.encryption_configuration[0].encryption_type == "KMS" && repository.force_delete == false])
    error_message = "Images must be encrypted, and not be deleted with their repository by a slip."
  }
  assert {
    condition     = length(aws_ecr_repository_policy.this) == 0
    error_message = "Unless somebody is named, only the account itself may push and pull."
  }
}

run "who_pulls_may_not_push" {
  command = plan
  variables { pull_principal_arns = ["arn:aws:iam::222222222222:role/nodes"] }

  assert {
    condition     = [for statement in jsondecode(aws_ecr_repository_policy.this["runtime"].policy).Statement : statement.Sid] == ["Pull"]
    error_message = "There must be a statement for pulling and none for pushing."
  }
  assert {
    condition     = !contains(jsondecode(aws_ecr_repository_policy.this["runtime"].policy).Statement[0].Action, "ecr:PutImage")
    error_message = "Who pulls must not be able to push."
  }
}

# Applied to the mock, so that the repositories have addresses.
run "the_chart_gets_host_and_path" {
  command = apply

  override_resource {
    target = aws_ecr_repository.this
    values = { repository_url = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/slipway-dev/charts/slipway" }
  }

  assert {
    condition     = output.image_registry == "111111111111.dkr.ecr.eu-central-1.amazonaws.com/slipway-dev"
    error_message = "image_registry must be host and path without the image's name."
  }
}

run "name_over_the_limit" {
  command = plan
  variables { name = "slipway-with-a-name-that-leaves-no-room" }
  expect_failures = [var.name]
}

run "no_images" {
  command = plan
  variables { images = [] }
  expect_failures = [var.images]
}

run "image_with_capitals" {
  command = plan
  variables { images = ["Runtime"] }
  expect_failures = [var.images]
}

run "nothing_to_roll_back_to" {
  command = plan
  variables { keep_images = 1 }
  expect_failures = [var.keep_images]
}

run "a_user_pushes" {
  command = plan
  variables { push_principal_arns = ["arn:aws:iam::111111111111:user/ci"] }
  expect_failures = [var.push_principal_arns]
}

run "an_account_pulls" {
  command = plan
  variables { pull_principal_arns = ["222222222222"] }
  expect_failures = [var.pull_principal_arns]
}

run "alias_in_place_of_the_key" {
  command = plan
  variables { kms_key_arn = "alias/slipway" }
  expect_failures = [var.kms_key_arn]
}
