"""What a sandbox holds: the image's recipe, its wheels, its build."""
