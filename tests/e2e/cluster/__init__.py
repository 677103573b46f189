"""The bench of the cluster's proof: hosts as network namespaces, databases, faults, and a judge."""
