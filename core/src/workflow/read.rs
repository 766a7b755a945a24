//! Reading a workflow's file: its types, and what they do not see.

use std::{io, path::Path};

use astros_protocol::{
    Error, ErrorCode,
    manifest::{Document, Folder, ManifestError, text_of},
};

use super::{check, file::Workflow};

/// So many of the things that are wrong are told at once.
const MENTIONED: usize = 10;

impl Workflow {
    /// Reads the text of the file `path`.
    ///
    /// # Errors
    /// All that is wrong, each with the file, line, column and place; the first one where it is no workflow at all.
    pub fn parse(text: &str, path: &Path) -> Result<Workflow, Vec<ManifestError>> {
        let document = Document::parse(text, path).map_err(|error| vec![error])?;
        let mut workflow: Workflow = document.read().map_err(|error| vec![error])?;
        let file = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        workflow.name_all(&file.unwrap_or_default());
        let problems = check::problems(&workflow);
        if problems.is_empty() {
            return Ok(workflow);
        }
        Err(problems.into_iter().map(|one| document.error(&one.pointer, one.problem)).collect())
    }

    /// Reads the file `path`, and gives its text too; a plugin's, only where it is in the plugin's folder `within`.
    ///
    /// # Errors
    /// As [`Workflow::parse`], or it cannot be read.
    pub fn read(path: &Path, within: Option<&Path>) -> Result<(Workflow, String), Vec<ManifestError>> {
        let text = match within {
            Some(folder) => {
                Folder::open(folder).and_then(|opened| opened.text(path.strip_prefix(folder).unwrap_or(path)))
            }
            None => text_of(path),
        };
        let text = text.map_err(|error| {
            let reason = match error.kind() {
                io::ErrorKind::InvalidData => "it is not UTF-8 text; save it as UTF-8".to_owned(),
                io::ErrorKind::NotFound => "there is no such file; name a workflow or its file".to_owned(),
                _ => error.to_string(),
            };
            vec![ManifestError::Unreadable { path: path.to_owned(), reason }]
        })?;
        Ok((Workflow::parse(&text, path)?, text))
    }
}

/// One error of several about a file.
pub(super) fn bad_file(errors: &[ManifestError]) -> Error {
    let mut words: Vec<String> = errors.iter().take(MENTIONED).map(ToString::to_string).collect();
    if let Some(more) = errors.len().checked_sub(MENTIONED).filter(|more| *more > 0) {
        words.push(format!("and {more} more; `astros workflow check` has all of them"));
    }
    let (first, more) = words.split_first().map_or(("", &[][..]), |(first, more)| (&**first, more));
    let error = Error::new(ErrorCode::INVALID_PARAMS, first);
    if more.is_empty() { error } else { error.with_detail(more.join("\n")) }
}

/// Errors about places of the file.
pub(super) fn at_places(
    text: &str,
    path: &Path,
    errors: impl Iterator<Item = (String, Error)>,
) -> Vec<ManifestError> {
    let Ok(document) = Document::parse(text, path) else { return Vec::new() };
    let words = |(pointer, error): (String, Error)| {
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        document.error(&pointer, format!("`{}`: {}{hint}", check::dotted(&pointer), error.message))
    };
    errors.map(words).collect()
}
