//! The launcher: a small process between the daemon and a plugin that sees to it that its whole tree ends.
