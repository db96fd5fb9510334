//! What can be asked of the screen, and what it asks of its shell.

/// Something that the reader wants, or that the terminal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// To the next step.
    Forward,
    /// To the step before.
    Back,
    /// To the first step.
    First,
    /// To the last step.
    Last,
    /// To the next device or namespace.
    NextDevice,
    /// To the one before.
    PreviousDevice,
    /// To the next step that changed the packet.
    NextChange,
    /// To the one before.
    PreviousChange,
    /// To the next flow.
    NextFlow,
    /// To the flow before.
    PreviousFlow,
    /// Gives the keys to the next pane.
    FocusNext,
    /// Gives them to the pane before.
    FocusPrevious,
    /// Gives them to a pane by its number, from 1.
    Focus(u8),
    /// Moves the pane's text down.
    Down,
    /// Moves it up.
    Up,
    /// Moves it down by a page.
    PageDown,
    /// Moves it up by a page.
    PageUp,
    /// Gives one pane the screen, or takes it back.
    Zoom,
    /// Stops at every decision.
    MoreDetail,
    /// Stops once at every device.
    LessDetail,
    /// Shows the keys, or hides them.
    Help,
    /// Goes on as plain text.
    Plain,
    /// Closes the innermost thing, else quits.
    Leave,
    /// Quits.
    Quit,
    /// Hands the terminal back for a while.
    Suspend,
    /// Draws everything anew.
    Redraw,
    /// A key that means nothing here.
    Unknown,
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
}

/// What the shell is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// End.
    Quit,
    /// Forget what is on the screen and draw everything.
    Redraw,
    /// Stop until the user's shell says go on.
    Suspend,
    /// Go on as plain text.
    Plain,
}
