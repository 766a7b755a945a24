//! The plugin: what it can do, and what a person says to have it done.

use std::time::Duration;

use astros_sdk::prelude::*;

use crate::handlers::{change, look};

/// The plugin `file-manager`, to be run or tested.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new("file-manager", env!("CARGO_PKG_VERSION"))
        .description(env!("CARGO_PKG_DESCRIPTION"))
        .handles(["file_management"])
        .handler(
            blocking_handler("list_files", look::list_files)
                .description("List the files in a folder")
                .examples([
                    "list the files in {path}",
                    "show me what is in {path}",
                    "what is in {path}",
                    "what files are in {path}",
                    "which files are in {path}",
                ])
                .effects(Effects::Read)
                .idempotent()
                .timeout(LOOKING),
        )
        .handler(
            blocking_handler("search_files", look::search_files)
                .description("Find files by a part of their name or by a pattern")
                .examples([
                    "find {query} in {path}",
                    "find files named {query}",
                    "search for files called {query} in {path}",
                    "where is the file {query}",
                ])
                .effects(Effects::Read)
                .idempotent()
                .timeout(LOOKING),
        )
        .handler(
            blocking_handler("file_info", look::file_info)
                .description("Tell size, date, kind and permissions of one file or folder")
                .examples(["tell me about the file {path}", "how big is {path}", "when was {path} changed"])
                .effects(Effects::Read)
                .idempotent(),
        )
        .handler(
            blocking_handler("organize_files", change::organize_files)
                .description("Sort the files of a folder into folders by type, date or size")
                .examples([
                    "organize the files in {path} by {method}",
                    "organize the files in {path}",
                    "sort the files in {path} by {method}",
                    "tidy up the folder {path}",
                ])
                .timeout(CHANGING),
        )
        .handler(
            blocking_handler("move_files", change::move_files)
                .description("Move or rename files and folders")
                .examples(["move {source} to {destination}", "rename {source} to {destination}"])
                .timeout(CHANGING),
        )
        .handler(
            blocking_handler("copy_files", change::copy_files)
                .description("Copy files and folders")
                .examples(["copy {source} to {destination}", "make a copy of {source} in {destination}"])
                .timeout(CHANGING),
        )
        .handler(
            blocking_handler("undo", change::undo)
                .description("Take the last change of files back")
                .examples([
                    "undo that",
                    "undo the last operation",
                    "undo",
                    "take that back",
                    "put the files back where they were",
                ])
                .timeout(CHANGING),
        )
}

/// A disk may be slow, and a home folder large.
const LOOKING: Duration = Duration::from_secs(2 * 60);
/// Copies between disks take their time.
const CHANGING: Duration = Duration::from_secs(60 * 60);
