"""What is done with each table: one module of verbs per table or group of tables."""
