//! Commands that a plugin adds to `astros`: a function of a [`Context`] and of what clap reads from the command line.

use std::{any::TypeId, path::PathBuf, sync::Arc};

use astros_peer::Responder;
use astros_protocol::{
    Intent,
    command::{CommandDescription, CommandParameter, CommandResult, CommandRunParams, CommandValue},
};
use clap::{Arg, ArgAction, Args, Command as Clap};
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    Context, Plugin, Result,
    attend::{Work, panicked},
    context::Request as Served,
    dispatch::Dispatcher,
};

/// A command: what the host is told of it, and what runs it.
pub(crate) struct Command {
    pub(crate) description: CommandDescription,
    run: Box<Run>,
}

type Run = dyn Fn(Context, Vec<String>) -> Work<u8> + Send + Sync;

/// What a command ends with: `()` is success, a `u8` an exit code.
pub trait Exit {
    fn code(self) -> u8;
}

impl Exit for () {
    fn code(self) -> u8 {
        0
    }
}

impl Exit for u8 {
    fn code(self) -> u8 {
        self
    }
}

impl Plugin {
    /// Adds a command: `astros NAME …` runs it in a process of its own on the person's terminal, where it prints, asks
    /// and reads as any program. `A` derives [`clap::Args`] or [`clap::Parser`]; what it declares is the command's help
    /// and completion, and it reads the command line itself. Nothing else is served meanwhile: it may block.
    ///
    /// An error is shown to the person, who gets the exit code 5.
    ///
    /// # Panics
    /// An option takes an optional value, or a number of values that varies: nobody but clap could tell where they end.
    pub fn command<A, F, Fut, E>(mut self, name: impl Into<String>, function: F) -> Plugin
    where
        A: Args + Send + 'static,
        F: Fn(Context, A) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<E>> + Send + 'static,
        E: Exit,
    {
        let name = name.into();
        let clap = A::augment_args(Clap::new(name.clone())).bin_name(format!("astros {name}"));
        let mut built = clap.clone().disable_help_subcommand(true);
        built.build();
        let description = describe(&built);
        let function = Arc::new(function);
        let run = move |ctx: Context, argv: Vec<String>| -> Work<u8> {
            let (function, clap) = (function.clone(), clap.clone());
            Box::pin(async move {
                let read = clap.try_get_matches_from(argv);
                match read.and_then(|matches| A::from_arg_matches(&matches)) {
                    Ok(args) => Ok(function(ctx, args).await?.code()),
                    Err(usage) => {
                        usage.print()?;
                        Ok(u8::try_from(usage.exit_code()).unwrap_or(2))
                    }
                }
            })
        };
        self.description.commands.retain(|known| known.name != name);
        self.description.commands.push(description.clone());
        self.commands.retain(|known| known.description.name != name);
        self.commands.push(Command { description, run: Box::new(run) });
        self
    }
}

impl Dispatcher {
    /// Runs a command of the plugin's.
    pub(crate) fn run_command(&self, params: CommandRunParams, responder: Responder) {
        let word = params.argv.first().map_or(&*params.command, String::as_str);
        let Some(command) = self.plugin.commands.iter().find(|known| known.description.name == word) else {
            return responder.error(&self.not_found("command", word));
        };
        let session = match self.session("command/run") {
            Ok(session) => session,
            Err(error) => return responder.error(&error),
        };
        let meta = to_raw_value(&params.meta).ok();
        let ticket = responder.ticket().clone();
        let request = Served::new(ticket, params.command.clone(), Intent::default(), meta.as_deref());
        let ctx = Context::new(session, responder.peer(), Some(request));
        let work = (command.run)(ctx, params.argv);
        tokio::spawn(async move {
            // On a task of its own, so that a panic is its end and not the plugin's.
            let ended = tokio::spawn(work).await;
            let outcome = ended.unwrap_or_else(|error| {
                Err(error.try_into_panic().map_or_else(crate::Error::from, |panic| panicked(&*panic)))
            });
            match outcome {
                Ok(exit_code) => responder.result(&CommandResult { exit_code, ..CommandResult::default() }),
                Err(error) => responder.error(&error.into_wire()),
            }
        });
    }
}

/// What clap knows of a command, as the protocol says it.
fn describe(clap: &Clap) -> CommandDescription {
    let text = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    CommandDescription {
        name: clap.get_name().to_owned(),
        description: text(clap.get_long_about().or(clap.get_about())),
        parameters: clap.get_arguments().filter_map(parameter).collect(),
        commands: clap.get_subcommands().map(describe).collect(),
        runs: clap.has_subcommands() && !clap.is_subcommand_required_set(),
        hidden: clap.is_hide_set(),
        epilog: text(clap.get_after_long_help().or(clap.get_after_help())),
        ..CommandDescription::default()
    }
}

/// An argument; `--help` is the host's to answer.
fn parameter(arg: &Arg) -> Option<CommandParameter> {
    let kind = match arg.get_action() {
        ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort => return None,
        ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Version => CommandValue::Boolean,
        ArgAction::Count => CommandValue::Count,
        _ => kind(arg),
    };
    let values = arg.get_num_args().filter(|_| arg.get_action().takes_values()).unwrap_or_else(|| 1.into());
    let is_fixed = values.min_values() == values.max_values();
    assert!(
        is_fixed || arg.is_positional(),
        "the option `{}` takes {values} values, expected a fixed number; one that may stand there several times, such as \
         a `Vec`, takes as many as are wanted",
        arg.get_id()
    );
    let longs = arg.get_long_and_visible_aliases().into_iter().flatten().map(|long| format!("--{long}"));
    let shorts = arg.get_short_and_visible_aliases().into_iter().flatten().map(|short| format!("-{short}"));
    let choices = arg.get_possible_values();
    let choices = choices.iter().filter(|_| kind != CommandValue::Boolean && arg.get_action().takes_values());
    let help = arg.get_long_help().or(arg.get_help());
    Some(CommandParameter {
        name: arg.get_id().to_string(),
        description: help.map(ToString::to_string).unwrap_or_default(),
        flags: longs.chain(shorts).collect(),
        choices: choices.map(|choice| choice.get_name().to_owned()).collect(),
        default: default(arg, &kind),
        required: arg.is_required_set(),
        repeated: matches!(arg.get_action(), ArgAction::Append) || values.max_values() > 1 && !is_fixed,
        values: (is_fixed && values.max_values() > 1)
            .then(|| u32::try_from(values.max_values()).ok())
            .flatten(),
        metavar: arg.get_value_names().and_then(|names| Some(names.first()?.to_string())),
        hidden: arg.is_hide_set(),
        r#type: kind,
        ..CommandParameter::default()
    })
}

fn kind(arg: &Arg) -> CommandValue {
    let id = arg.get_value_parser().type_id();
    let is = |kinds: &[TypeId]| kinds.iter().any(|kind| id == *kind);
    let of = TypeId::of::<PathBuf>;
    if arg.get_value_delimiter().is_some() {
        // Several in one word: its type is that of each.
        CommandValue::String
    } else if is(&[of()]) {
        CommandValue::Path
    } else if is(&[TypeId::of::<bool>()]) {
        CommandValue::Boolean
    } else if is(&[TypeId::of::<f32>(), TypeId::of::<f64>()]) {
        CommandValue::Number
    } else if is(&[
        TypeId::of::<i8>(),
        TypeId::of::<i16>(),
        TypeId::of::<i32>(),
        TypeId::of::<i64>(),
        TypeId::of::<u8>(),
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
    ]) {
        CommandValue::Integer
    } else {
        CommandValue::String
    }
}

fn default(arg: &Arg, kind: &CommandValue) -> Option<Value> {
    if !arg.get_action().takes_values() {
        return None;
    }
    let typed = |text: &std::ffi::OsStr| {
        let text = text.to_string_lossy();
        let read = match kind {
            CommandValue::Integer | CommandValue::Number | CommandValue::Boolean => {
                serde_json::from_str(&text).ok()
            }
            _ => None,
        };
        read.unwrap_or_else(|| json!(text))
    };
    match arg.get_default_values() {
        [] => None,
        [one] if !matches!(arg.get_action(), ArgAction::Append) => Some(typed(one)),
        all => Some(all.iter().map(|one| typed(one)).collect()),
    }
}
