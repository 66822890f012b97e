//! What the recipes share to print as the course does.

use std::time::Duration;

use smol_servers::Timer;

/// Sleeps so many seconds, says so before and after, and returns them.
pub async fn delay(seconds: u64) -> u64 {
    println!("Засыпаю на {seconds} c.");
    Timer::after(Duration::from_secs(seconds)).await;
    println!("Сон в течение {seconds} c. закончился");
    seconds
}

/// A bool as Python prints it.
pub fn truth(is_so: bool) -> &'static str {
    if is_so { "True" } else { "False" }
}

/// A list of strings as Python prints it, if none has a quote in it.
pub fn list(strings: &[impl AsRef<str>]) -> String {
    let strings: Vec<String> = strings.iter().map(|it| format!("'{}'", it.as_ref())).collect();
    format!("[{}]", strings.join(", "))
}
