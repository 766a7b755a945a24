//! Components: what a plugin draws for `astros ui render`, for other plugins and for clients with a screen.

use std::{pin::Pin, sync::Arc, time::Duration};

use astros_peer::Responder;
use astros_protocol::{
    Intent, RENDER_HANDLER, Request as _, Response,
    command::Terminal,
    ui::{ComponentDescription, UiRender, UiTree},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::{
    CallPlugin, Context, Effects, Error, Plugin, Result,
    attend::{Attended, Work},
    context::{self, Request},
    dispatch::{self, Dispatcher},
    params,
};

/// Something that a plugin draws. Made by [`component`] or [`live_component`].
pub struct Component {
    pub(crate) description: ComponentDescription,
    draw: Box<Draw>,
}

type Draw = dyn Fn(Context, Box<RawValue>) -> Work<UiTree> + Send + Sync;

/// An async function of a context and of props to a tree. `T` is a type of the author's own (`Deserialize` and
/// `JsonSchema`), [`Extra`](crate::Extra) for any props, or `()` for none.
pub fn component<T, F, Fut>(name: impl Into<String>, function: F) -> Component
where
    T: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<UiTree>> + Send + 'static,
{
    let function = Arc::new(function);
    Component::new::<T>(name.into(), false, move |ctx, props| {
        let function = function.clone();
        Box::pin(async move {
            let props = params::read(ctx.handler(), props.get())?;
            function(ctx, props).await
        })
    })
}

/// A component that draws anew as things change: an async function that is given a [`Screen`] besides. It goes on until
/// it ends by itself or is dropped, which is when nobody looks any more; where one tree is all that is wanted, after the
/// first.
pub fn live_component<T, F, Fut>(name: impl Into<String>, function: F) -> Component
where
    T: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(Context, T, Screen) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let function = Arc::new(function);
    Component::new::<T>(name.into(), true, move |ctx, props| {
        let function = function.clone();
        Box::pin(async move {
            let props = params::read(ctx.handler(), props.get())?;
            let (sender, trees) = mpsc::channel(1);
            let drawing = function(ctx.clone(), props, Screen(sender));
            show(&ctx, drawing, trees).await
        })
    })
}

/// Tells every tree but the last, which is the answer.
async fn show(
    ctx: &Context,
    drawing: impl Future<Output = Result<()>>,
    mut trees: mpsc::Receiver<UiTree>,
) -> Result<UiTree> {
    let mut last = UiTree::text("");
    tokio::pin!(drawing);
    loop {
        tokio::select! {
            biased;
            Some(tree) = trees.recv() => {
                last = tree;
                if !ctx.meta().progress {
                    return Ok(last);
                }
                ctx.progress_data(&last).await?;
            }
            ended = &mut drawing => {
                ended?;
                return Ok(trees.try_recv().unwrap_or(last));
            }
        }
    }
}

/// What a live component draws on.
pub struct Screen(mpsc::Sender<UiTree>);

impl Screen {
    /// Draws a tree in the place of the one before; waits while that is on its way.
    pub async fn draw(&self, tree: UiTree) -> Result<()> {
        // Whoever takes the trees goes with the function that draws them.
        self.0.send(tree).await.map_err(|_| context::cancelled())
    }
}

impl Component {
    fn new<T: JsonSchema + 'static>(
        name: String,
        live: bool,
        draw: impl Fn(Context, Box<RawValue>) -> Work<UiTree> + Send + Sync + 'static,
    ) -> Component {
        let props = params::schema::<T>();
        let description = ComponentDescription { name, props, live, ..ComponentDescription::default() };
        Component { description, draw: Box::new(draw) }
    }

    /// What it shows, one sentence.
    pub fn description(mut self, description: impl Into<String>) -> Component {
        self.description.description = description.into();
        self
    }

    /// What drawing it does to the world; `read` where nothing is said.
    pub fn effects(mut self, effects: Effects) -> Component {
        self.description.effects = Some(effects);
        self
    }
}

impl Plugin {
    /// Adds a component; a second one of the same name replaces the first.
    pub fn component(mut self, component: Component) -> Plugin {
        let name = &component.description.name;
        self.components.retain(|known| known.description.name != *name);
        self.description.ui_components.retain(|known| known.name != *name);
        self.description.ui_components.push(component.description.clone());
        self.components.push(component);
        self
    }
}

impl Context {
    /// What a component is drawn on; 80 columns without colours where none is drawn.
    pub fn terminal(&self) -> Terminal {
        self.request().map(|request| request.terminal.clone()).unwrap_or_default()
    }

    /// Has another plugin draw one of its components, for the terminal that this request draws on. It takes the
    /// permission `call_plugin`, unless the component's effects are `none`.
    pub fn render(&self, plugin: &str, component: &str, props: impl Serialize) -> Render<'_> {
        let asked = Asks { component, props, terminal: self.terminal() };
        Render { component: component.to_owned(), call: self.call_plugin(plugin, RENDER_HANDLER, asked) }
    }
}

/// What `$render` is given.
#[derive(Serialize)]
struct Asks<'a, T> {
    component: &'a str,
    props: T,
    terminal: Terminal,
}

/// A component of another plugin's, drawn where it is awaited.
#[must_use = "a component is drawn where this is awaited"]
pub struct Render<'a> {
    component: String,
    call: CallPlugin<'a>,
}

impl<'a> Render<'a> {
    /// The time that it may take; a live one is over then.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call = self.call.timeout(timeout);
        self
    }

    /// Sees every tree of a live component; without it, it draws one.
    pub fn on_tree(mut self, mut listener: impl FnMut(UiTree) + Send + 'a) -> Self {
        self.call = self.call.on_progress(move |value| {
            let tree = value.data.and_then(|data| serde_json::from_value(data).ok());
            tree.into_iter().for_each(&mut listener);
        });
        self
    }
}

impl<'a> IntoFuture for Render<'a> {
    type Output = Result<UiTree>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<UiTree>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Response { data, .. } = self.call.await?;
            serde_json::from_value(data).map_err(|error| {
                Error::msg(format!("the tree of `{}` cannot be read: {error}", self.component))
            })
        })
    }
}

/// `UiRenderParams`, whose props are read by the component.
#[derive(Deserialize)]
struct Asked<'a> {
    component: String,
    #[serde(borrow, default)]
    props: Option<&'a RawValue>,
    #[serde(default)]
    terminal: Terminal,
    #[serde(borrow, default)]
    meta: Option<&'a RawValue>,
}

impl Dispatcher {
    /// Serves `ui/render`.
    pub(crate) fn draw(&self, params: &str, responder: Responder) {
        let begun = dispatch::read::<Asked<'_>>(UiRender::METHOD, params).and_then(|asked| {
            let known = self.plugin.components.iter().find(|one| one.description.name == asked.component);
            let component = known.ok_or_else(|| self.not_found("component", &asked.component))?;
            let ticket = responder.ticket().clone();
            let mut request = Request::new(ticket, asked.component, Intent::default(), asked.meta);
            request.terminal = asked.terminal;
            let ctx = Context::new(self.session(UiRender::METHOD)?, responder.peer(), Some(request));
            let props = asked.props.map_or_else(dispatch::empty_object, ToOwned::to_owned);
            Ok(Attended::new(&component.description.name, (component.draw)(ctx, props)))
        });
        match begun {
            Ok(work) => drop(tokio::spawn(dispatch::serve(work, responder, false))),
            Err(error) => responder.error(&error),
        }
    }
}
