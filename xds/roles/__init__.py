"""The commands of the image: what runs in a pod or as a service, one role a process."""
