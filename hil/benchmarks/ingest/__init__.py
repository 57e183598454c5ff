"""The processes of the ingest benchmark: who publishes (load), and whose CPU time is measured (gateway, carry)."""
