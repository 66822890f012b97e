//! What a recipe is to the list and to the code that runs it.

use std::pin::Pin;
use std::rc::Rc;

use smol::LocalExecutor;

/// The executor, as asyncio's event loop is to `create_task`. asyncio finds the running one by
/// itself; here it is passed along.
pub type Ex = Rc<LocalExecutor<'static>>;

/// A program that the command line names.
pub struct Recipe {
    /// The name of its function.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Whether it waits for what no clock can pause: threads, processes, signals, TCP.
    pub is_real_time: bool,
    pub run: Run,
}

pub enum Run {
    /// An async function, to be spawned.
    Task(fn(Ex) -> Pin<Box<dyn Future<Output = ()>>>),
    /// A function that calls `block_on` itself, or needs none.
    Plain(fn()),
}

impl Recipe {
    pub const fn plain(name: &'static str, about: &'static str, function: fn()) -> Recipe {
        Recipe { name, about, is_real_time: false, run: Run::Plain(function) }
    }

    pub const fn real_time(self) -> Recipe {
        Recipe { is_real_time: true, ..self }
    }
}

/// A recipe of an async function, whose future is boxed: each such function has a future of another
/// type.
macro_rules! task {
    ($function:ident, $about:literal) => {
        Recipe {
            name: stringify!($function),
            about: $about,
            is_real_time: false,
            run: crate::recipe::Run::Task(|ex| Box::pin($function(ex))),
        }
    };
}

pub(crate) use task;
