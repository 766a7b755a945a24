"""What a project consists of: `walk` streams its files, `survey` counts them, `manifests` reads what it depends on."""
