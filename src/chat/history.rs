//! What was said before a newcomer came, told to it.

use super::Chat;
use super::calendar::heading;
use crate::client::writer::missed_notice;
use crate::moment::Moment;
use crate::server::connection::Connection;
use crate::server::stats::CloseReason;

/// Bytes of the history that are copied for one newcomer at a time, beside the line that goes over
/// them.
const PART_BYTES: usize = 4 * 1024;

/// Tells the newcomer these lines, under a heading for each former day. Of those that the backlog
/// drops before they are copied it is told how many it missed.
///
/// # Errors
/// Why the connection can be written to no longer.
pub(super) async fn tell(
    chat: &Chat,
    connection: &Connection,
    lines: &[u64],
) -> Result<(), CloseReason> {
    if lines.is_empty() {
        return Ok(());
    }
    let s = if lines.len() == 1 { "" } else { "s" };
    let mut part = format!("*** the last {} line{s}:\r\n", lines.len()).into_bytes();
    let calendar = chat.0.calendar.as_ref();
    let today = calendar.map(|it| it.borrow().today(Moment::now()));
    let (mut shown, mut missed) = (today, 0);
    for &number in lines {
        let mut line = Vec::new();
        let day = calendar.and_then(|it| it.borrow().day_of(number));
        if let Some(day) = day.filter(|day| Some(*day) != shown) {
            shown = Some(day);
            let is_past = shown != today;
            line = if is_past { heading(day) } else { "*** today:\r\n".to_owned() }.into_bytes();
        }
        if chat.0.room.copy_line(number, &mut line) {
            report(&mut missed, &mut part, connection);
            connection.stats().lines_out.add(1);
        } else {
            missed += 1;
        }
        part.extend(line);
        if part.len() >= PART_BYTES {
            connection.write_all(&part).await?;
            part.clear();
        }
    }
    report(&mut missed, &mut part, connection);
    part.extend_from_slice(b"*** now:\r\n");
    connection.write_all(&part).await
}

/// Says how many lines are lost, if any.
fn report(missed: &mut u64, part: &mut Vec<u8>, connection: &Connection) {
    let lines = std::mem::take(missed);
    if lines > 0 {
        connection.add_missed(lines);
        part.extend_from_slice(missed_notice(lines).as_bytes());
    }
}
