"""PostgreSQL as a sink: schema/ explains the tables; sink what is done with a batch; rows a batch as COPY takes it."""
