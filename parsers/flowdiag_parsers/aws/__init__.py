"""The AWS VPC CNI's network policy agent, and flow logs of the VPC around it."""
