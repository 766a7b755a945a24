//! The control API: how commands and programs speak with a running daemon.
