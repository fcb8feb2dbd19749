# A zone and a certificate for two hostnames in it.

provider "aws" {
  region = "eu-central-1"
}

module "dns" {
  source = "../.."

  zone_name = "example.com"
  hostnames = ["aws.agents.example.com", "agents.example.com"]
}

output "certificate_arn" {
  description = "ARN of the certificate."
  value       = module.dns.certificate_arn
}
