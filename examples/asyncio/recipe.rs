//! What a recipe is to the list and to who runs it.

use std::pin::Pin;
use std::rc::Rc;

use smol::LocalExecutor;

/// The executor, as asyncio's event loop is to `create_task`. asyncio finds the running one by
/// itself; here it is passed along.
pub type Ex = Rc<LocalExecutor<'static>>;

/// One program of the course.
pub struct Recipe {
    /// What it is called on the command line: the name of its function.
    pub name: &'static str,
    /// Its number in the course.
    pub number: &'static str,
    /// One line about it.
    pub about: &'static str,
    pub run: Run,
}

pub enum Run {
    /// An async function, to be spawned.
    Task(fn(Ex) -> Pin<Box<dyn Future<Output = ()>>>),
    /// A function that calls `block_on` itself.
    Plain(fn()),
}

impl Recipe {
    pub const fn task(
        name: &'static str,
        number: &'static str,
        about: &'static str,
        future: fn(Ex) -> Pin<Box<dyn Future<Output = ()>>>,
    ) -> Recipe {
        Recipe { name, number, about, run: Run::Task(future) }
    }

    pub const fn plain(
        name: &'static str,
        number: &'static str,
        about: &'static str,
        function: fn(),
    ) -> Recipe {
        Recipe { name, number, about, run: Run::Plain(function) }
    }
}
