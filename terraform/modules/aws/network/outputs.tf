output "vpc_id" {
  description = "The VPC's id."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Subnets of the nodes, one a zone, known only once there is a way out of them: nodes fetch images at once."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
  depends_on  = [aws_route.private, aws_route_table_association.private]
}

output "public_subnet_ids" {
  description = "Subnets of internet-facing load balancers, one a zone."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "database_subnet_ids" {
  description = "Subnets without a way out, for Postgres and Redis, one a zone."
  value       = [for zone in var.availability_zones : aws_subnet.database[zone].id]
}

output "nat_addresses" {
  description = "Public addresses that nodes are seen from, for the allow lists of others."
  value       = [for address in aws_eip.nat : address.public_ip]
}
