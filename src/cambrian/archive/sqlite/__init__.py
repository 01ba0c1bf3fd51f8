"""One SQLite file: connections, transactions, the read cache, the lock, what its errors mean."""
