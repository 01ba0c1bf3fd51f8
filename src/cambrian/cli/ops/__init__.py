"""The archive and the machine: `db`, `doctor`, `sql`, `cost`, `image`, the settings' file."""
