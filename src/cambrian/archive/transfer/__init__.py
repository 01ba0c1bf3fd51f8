"""An archive as a whole: backups, bundles, merging, its check."""
