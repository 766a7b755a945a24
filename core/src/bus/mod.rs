//! The bus of a host: who subscribed to what, and what waits to be delivered.
