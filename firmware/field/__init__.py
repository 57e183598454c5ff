"""The technician's tool on a laptop. Its explainers say in words what bytes captured on a bus mean."""
