//! What the reader and the writer of one client share: its editor, while it has one.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::rc::Rc;

use super::editor::Editor;

/// A client's terminal, in line mode as long as it has no editor; clones are the same one. The
/// default one never has an editor.
#[derive(Clone, Default)]
pub(crate) struct Terminal(Option<Rc<Inner>>);

type Inner = RefCell<Option<Box<Editor>>>;

impl Terminal {
    /// A terminal that may have an editor.
    pub(crate) fn new() -> Terminal {
        Terminal(Some(Rc::default()))
    }

    /// Gives it an editor, where it may have one, that continues the line `typed` so far.
    pub(crate) fn begin(&self, mut editor: Editor, typed: &[u8]) {
        // No line ends in them. If so many are no UTF-8 that what is shown for them is longer than a
        // line, all but the end of that is lost.
        typed.iter().for_each(|byte| drop(editor.key(*byte)));
        self.0.as_ref().map(|it| it.replace(Some(Box::new(editor))));
    }

    /// Its editor; MUST NOT be held across an await.
    pub(crate) fn editor(&self) -> Option<RefMut<'_, Editor>> {
        let editor = self.0.as_ref()?.borrow_mut();
        RefMut::filter_map(editor, |editor| editor.as_deref_mut()).ok()
    }

    /// Whether its editor has anything to write.
    pub(crate) fn is_due(&self) -> bool {
        self.editor().is_some_and(|editor| editor.is_due())
    }

    /// These whole lines as they are to be written to it at once; with none, what its editor has.
    pub(crate) fn framed(&self, lines: &[u8]) -> Vec<u8> {
        self.editor().map_or_else(|| lines.to_vec(), |mut editor| editor.framed(lines))
    }

    /// What makes place for lines that are written without its editor.
    pub(crate) fn erase(&self) -> &'static [u8] {
        self.editor().map_or(b"", |mut editor| editor.erase())
    }

    /// Ends its editor; returns what leaves the terminal as it was before it.
    pub(crate) fn end(&self) -> Vec<u8> {
        if let Some(mut editor) = self.editor() {
            let _unsaid = editor.end();
        }
        self.framed(b"")
    }

    /// Forgets the lines said: what answers a question is none.
    pub(crate) fn forget(&self) {
        if let Some(mut editor) = self.editor() {
            editor.forget();
        }
    }

    /// Frees the lines said if its person rests, see [`Editor::rest`].
    pub(crate) fn rest(&self) -> bool {
        self.editor().is_some_and(|mut editor| editor.rest())
    }
}

/// Without what is typed, which nobody is to read before it is said.
impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal").finish_non_exhaustive()
    }
}
