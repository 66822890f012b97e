use proptest::prelude::*;

use super::*;

const NO_REPLY: Malformed = Malformed("it does not begin with one of +-:$*");
const NO_NUMBER: Malformed = Malformed("a number or length is missing or out of range");
const TOO_MANY: Malformed = Malformed("it has too many values");
const TOO_DEEP: Malformed = Malformed("its arrays are too deep within each other");

/// All replies of the bytes, handed over in pieces of `size`, and what they end in.
fn decode(bytes: &[u8], size: usize) -> (Vec<Reply>, Option<Malformed>) {
    let mut decoder = Decoder::default();
    let mut replies = Vec::new();
    for mut piece in bytes.chunks(size) {
        loop {
            match decoder.next(&mut piece) {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(malformed) => return (replies, Some(malformed)),
            }
        }
        assert!(piece.is_empty());
    }
    (replies, None)
}

#[track_caller]
fn assert_replies(bytes: &[u8], replies: impl IntoIterator<Item = Reply>) {
    let replies = (replies.into_iter().collect(), None);
    assert_eq!(decode(bytes, usize::MAX), replies);
    assert_eq!(decode(bytes, 1), replies);
}

#[track_caller]
fn assert_malformed(bytes: &[u8], malformed: Malformed) {
    assert_eq!(decode(bytes, usize::MAX), (vec![], Some(malformed)), "{}", bytes.escape_ascii());
    assert_eq!(decode(bytes, 1), (vec![], Some(malformed)), "{}", bytes.escape_ascii());
}

fn bulk(bytes: &[u8]) -> Reply {
    Reply::Bulk(bytes.to_vec())
}

#[test]
fn a_command_is_an_array_of_bulk_strings() {
    let mut out = b"before".to_vec();
    command(&mut out, &[b"XADD", b"room:lobby", b"*", b"", b"a\r\n\xff"]);
    let sent =
        b"before*5\r\n$4\r\nXADD\r\n$10\r\nroom:lobby\r\n$1\r\n*\r\n$0\r\n\r\n$4\r\na\r\n\xff\r\n";
    assert_eq!(out.escape_ascii().to_string(), sent.escape_ascii().to_string());
}

#[test]
fn each_type_of_reply_is_read() {
    assert_replies(b"+OK\r\n+\r\n", [Reply::Simple("OK".into()), Reply::Simple(String::new())]);
    assert_replies(b"-ERR no\r\n", [Reply::Error("ERR no".into())]);
    assert_replies(b":0\r\n:-7\r\n", [Reply::Integer(0), Reply::Integer(-7)]);
    let extremes = format!(":{}\r\n:{}\r\n", i64::MIN, i64::MAX);
    assert_replies(extremes.as_bytes(), [Reply::Integer(i64::MIN), Reply::Integer(i64::MAX)]);
    assert_replies(b"$0\r\n\r\n$5\r\n\r\n\0\xff\n\r\n", [bulk(b""), bulk(b"\r\n\0\xff\n")]);
    assert_replies(b"$-1\r\n*-1\r\n", [Reply::Nil, Reply::Nil]);
    assert_replies(b"*0\r\n", [Reply::Array(vec![])]);
}

/// As XREAD answers: of each stream its name and its entries, each an id and its fields.
#[test]
fn arrays_stand_in_arrays() {
    let sent = b"*1\r\n*2\r\n$1\r\ns\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nk\r\n$1\r\nv\r\n*2\r\n$3\r\n2-0\r\n*-1\r\n:3\r\n";
    let fields = Reply::Array(vec![bulk(b"k"), bulk(b"v")]);
    let entries = Reply::Array(vec![
        Reply::Array(vec![bulk(b"1-0"), fields]),
        Reply::Array(vec![bulk(b"2-0"), Reply::Nil]),
    ]);
    let streams = Reply::Array(vec![Reply::Array(vec![bulk(b"s"), entries])]);
    assert_replies(sent, [streams, Reply::Integer(3)]);
}

#[test]
fn text_that_may_be_logged_is_cleaned_and_a_bulk_string_is_not() {
    assert_replies(b"-ERR \x1b[2J\x07\xff\r\n", [Reply::Error("ERR [2J\u{fffd}".into())]);
    assert_replies("+a\u{202e}b\r\n".as_bytes(), [Reply::Simple("ab".into())]);
    assert_replies(b"$3\r\n\x1b[2\r\n", [bulk(b"\x1b[2")]);
}

#[test]
fn another_protocol_is_known_by_its_first_byte() {
    for other in ["HTTP/1.1 400 Bad Request\r\n", "\x15\x03\x01\0\x02", "_\r\n", "\r\n", "\n"] {
        assert_malformed(other.as_bytes(), NO_REPLY);
        assert_malformed(&other.as_bytes()[..1], NO_REPLY);
    }
    assert_eq!(decode(b"*2\r\n:1\r\n_", 1), (vec![], Some(NO_REPLY)));
    assert_eq!(decode(b":1\r\n_", 1), (vec![Reply::Integer(1)], Some(NO_REPLY)));
}

#[test]
fn every_line_and_bulk_string_ends_in_cr_lf() {
    for other in [&b"+OK\n"[..], b"+O\rK\r\n", b"+OK\r\r\n", b"$1\r\nxyz", b"$1\r\nx\n\n", b"$1\n"]
    {
        assert_malformed(other, OUT_OF_PLACE);
    }
}

#[test]
fn a_number_is_one_of_64_bits_and_a_length_none_below_nil() {
    let numbers = [":", ":x", ": 1", ":1 ", ":1.5", ":9223372036854775808", ":\u{661}"];
    for line in numbers.into_iter().chain(["$", "$-2", "$x", "$-", "*", "*-2", "*x", "*1 "]) {
        assert_malformed(format!("{line}\r\n").as_bytes(), NO_NUMBER);
    }
}

#[test]
fn of_a_long_text_the_beginning_is_kept_and_the_rest_is_read_past() {
    let sent = |bytes: usize| format!("${bytes}\r\n{}\r\n", "x".repeat(bytes));
    let whole = bulk(&[b'x'; BULK_BYTES]);
    let all = sent(BULK_BYTES) + &sent(BULK_BYTES + 1) + &sent(100_000) + ":7\r\n";
    assert_replies(
        all.as_bytes(),
        [whole, bulk(&[b'x'; BULK_BYTES]), bulk(&[b'x'; BULK_BYTES]), Reply::Integer(7)],
    );
    assert_malformed(format!("${}\r\n", BULK_MOST + 1).as_bytes(), TOO_LONG);
    assert_malformed(format!("${}\r\n", usize::MAX).as_bytes(), TOO_LONG);
    let longest = |bytes| format!("+{}\r\n", "x".repeat(bytes - 3));
    assert_eq!(decode(longest(LINE_BYTES).as_bytes(), 1).0.len(), 1);
    assert_malformed(longest(LINE_BYTES + 1).as_bytes(), TOO_LONG);
}

#[test]
fn a_long_text_takes_room_from_its_own_array_alone() {
    let text = |bytes: usize| format!("${bytes}\r\n{}\r\n", "x".repeat(bytes));
    let read = |bytes: usize| bulk("x".repeat(bytes).as_bytes());
    let long = format!("*64\r\n{}", text(5000).repeat(64));
    let short = format!("*2\r\n{}{}", text(80), text(4000));
    let sent = format!("*128\r\n{}", (long + &short).repeat(64));
    let (replies, end) = decode(sent.repeat(2).as_bytes(), 1000);
    assert_eq!((replies.len(), end), (2, None));
    for reply in replies {
        let Reply::Array(entries) = reply else { panic!("an array") };
        for pair in entries.chunks(2) {
            let Reply::Array(long) = &pair[0] else { panic!("an array") };
            assert_eq!(long[..3], [read(BULK_BYTES), read(BULK_BYTES), read(0)]);
            assert_eq!(pair[1], Reply::Array(vec![read(80), read(4000)]));
        }
        assert!(held_by(&entries) <= REPLY_BYTES);
    }
}

#[test]
fn a_reply_has_its_bytes_at_most() {
    let inner = format!("*2\r\n{}", format!("$4096\r\n{}\r\n", "x".repeat(4096)).repeat(2));
    let array = |count: usize| format!("*{count}\r\n{}", inner.repeat(count));
    let most = REPLY_BYTES / NESTED_BYTES;
    assert_eq!(decode(array(most).repeat(2).as_bytes(), 1000).0.len(), 2);
    assert_eq!(decode(array(most + 1).as_bytes(), 1000), (vec![], Some(TOO_LONG)));
    let outer = format!("*1000\r\n{}", format!("$4096\r\n{}\r\n", "x".repeat(4096)).repeat(1000));
    let Reply::Array(values) = &decode(outer.as_bytes(), 1000).0[0] else { panic!("an array") };
    let kept = values.iter().filter(|value| **value != bulk(b"")).count();
    assert_eq!((kept, values.len()), (ARRAY_BYTES / BULK_BYTES, 1000));
}

#[test]
fn of_a_long_array_the_beginning_is_kept_and_the_rest_is_read_past() {
    let array = |count: usize| format!("*{count}\r\n") + &":1\r\n".repeat(count);
    let kept = |count| Reply::Array((0..count).map(|_| Reply::Integer(1)).collect());
    let all = array(ARRAY_VALUES) + &array(ARRAY_VALUES + 1) + &array(100_000);
    assert_replies(all.as_bytes(), [kept(ARRAY_VALUES), kept(ARRAY_VALUES), kept(ARRAY_VALUES)]);
    let nested = format!("*2\r\n{}{}", array(NESTED_VALUES), array(NESTED_VALUES + 1));
    let both = Reply::Array(vec![kept(NESTED_VALUES), kept(NESTED_VALUES)]);
    assert_replies(nested.as_bytes(), [both]);
}

#[test]
fn a_reply_has_its_values_and_its_depth_at_most() {
    let inner = format!("*128\r\n{}", ":1\r\n".repeat(128));
    let array = |count: usize| format!("*{count}\r\n{}", inner.repeat(count));
    let most = REPLY_VALUES / 129;
    assert_eq!(decode(array(most).repeat(2).as_bytes(), 1000).0.len(), 2);
    assert_eq!(decode(array(most + 1).as_bytes(), 1000), (vec![], Some(TOO_MANY)));

    let deepest = "*1\r\n".repeat(REPLY_DEPTH);
    assert_eq!(decode((deepest.clone() + ":1\r\n").as_bytes(), 1).0.len(), 1);
    assert_malformed((deepest.clone() + "*1\r\n").as_bytes(), TOO_DEEP);
    assert_malformed((deepest + "*0\r\n").as_bytes(), TOO_DEEP);
}

#[test]
fn what_is_malformed_stays_so_and_names_itself_in_one_line() {
    let mut decoder = Decoder::default();
    let malformed = decoder.next(&mut &b"HTTP/1.1"[..]).expect_err("another protocol");
    assert_eq!(decoder.next(&mut &b"+OK\r\n"[..]), Err(malformed));
    assert_eq!(decoder.next(&mut &b"+OK\r\n"[..]), Err(malformed));
    assert_eq!(
        malformed.to_string(),
        "not a reply to expect of Redis or Valkey: it does not begin with one of +-:$*"
    );
}

#[test]
fn announced_lengths_reserve_nothing() {
    let mut decoder = Decoder::default();
    let announced = format!("*{}\r\n*3\r\n$1000000\r\n", usize::MAX);
    assert_eq!(decoder.next(&mut announced.as_bytes()), Ok(None));
    assert!(held(&decoder) <= 500, "{decoder:?}");
}

/// It would take minutes if a reply were read again from its start with each piece.
#[test]
fn a_large_reply_in_single_bytes_is_read_once() {
    let values = "$24\r\n0123456789abcdef01234567\r\n".repeat(REPLY_VALUES);
    let sent = format!("*{REPLY_VALUES}\r\n{values}");
    assert_eq!(decode(sent.as_bytes(), 1).0.len(), 1);
}

#[test]
fn between_replies_no_memory_is_held() {
    let mut decoder = Decoder::default();
    let sent = format!("*2\r\n*1\r\n$4000\r\n{}\r\n:1\r\n", "x".repeat(4000));
    let (first, second) = sent.as_bytes().split_at(3000);
    assert_eq!(decoder.next(&mut &first[..]), Ok(None));
    assert!(held(&decoder) >= 2900);
    assert!(decoder.next(&mut &second[..]).is_ok_and(|reply| reply.is_some()));
    assert_eq!(held(&decoder), 0);

    decoder.next(&mut &first[..]).expect("a reply begun");
    decoder.next(&mut &b"x".repeat(6000)[..]).expect_err("no CR LF at its end");
    assert_eq!(held(&decoder), 0);
}

/// Bytes that the decoder has reserved.
fn held(decoder: &Decoder) -> usize {
    let arrays = decoder.open.iter().map(|array| held_by(&array.values)).sum::<usize>();
    decoder.part.capacity() + decoder.open.capacity() * size_of::<Open>() + arrays
}

fn held_by(values: &Vec<Reply>) -> usize {
    let of_one = |value: &Reply| match value {
        Reply::Simple(text) | Reply::Error(text) => text.capacity(),
        Reply::Bulk(bytes) => bytes.capacity(),
        Reply::Array(values) => held_by(values),
        Reply::Integer(_) | Reply::Nil => 0,
    };
    values.capacity() * size_of::<Reply>() + values.iter().map(of_one).sum::<usize>()
}

fn encode(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Simple(text) => out.extend(format!("+{text}\r\n").bytes()),
        Reply::Error(text) => out.extend(format!("-{text}\r\n").bytes()),
        Reply::Integer(number) => out.extend(format!(":{number}\r\n").bytes()),
        Reply::Bulk(bytes) => {
            out.extend(format!("${}\r\n", bytes.len()).bytes());
            out.extend(bytes);
            out.extend(b"\r\n");
        }
        Reply::Array(values) => {
            out.extend(format!("*{}\r\n", values.len()).bytes());
            values.iter().for_each(|value| encode(value, out));
        }
        Reply::Nil => out.extend(b"$-1\r\n"),
    }
}

/// A reply of any type, with what stands between values common within them.
fn reply() -> impl Strategy<Value = Reply> {
    let value = prop_oneof![
        "[ -~éж日]{0,12}".prop_map(Reply::Simple),
        "[ -~éж日]{0,12}".prop_map(Reply::Error),
        any::<i64>().prop_map(Reply::Integer),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Reply::Bulk),
        "[$*:+\r\n0-9-]{0,12}".prop_map(|text| Reply::Bulk(text.into_bytes())),
        Just(()).prop_map(|()| Reply::Nil),
    ];
    value.prop_recursive(REPLY_DEPTH as u32, 40, 5, |value| {
        prop::collection::vec(value, 0..5).prop_map(Reply::Array)
    })
}

/// Bytes in which what a reply is made of is common.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let known = ["*", "$", ":", "+", "-", "\r\n", "-1\r\n", "*1\r\n", "*3\r\n", "*32768\r\n"];
    let known_values = ["$1\r\nx\r\n", "$1048576\r\n", ":7\r\n", "+\r\n", "-ERR\r\n", "*0\r\n"];
    let piece = prop_oneof![
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        8 => prop::sample::select([&known[..], &known_values].concat())
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(10_000)))]

    #[test]
    fn replies_are_read_as_they_were_sent_at_any_split(
        sent in prop::collection::vec(reply(), 0..4),
        sizes in prop::collection::vec(1_usize..60, 1..20),
    ) {
        let mut bytes = Vec::new();
        sent.iter().for_each(|reply| encode(reply, &mut bytes));
        let mut decoder = Decoder::default();
        let mut replies = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.into_iter().cycle() {
            let (mut piece, later) = rest.split_at(size.min(rest.len()));
            while let Some(reply) = decoder.next(&mut piece).expect("well formed") {
                replies.push(reply);
                assert!(held(&decoder) == 0);
            }
            if later.is_empty() {
                break;
            }
            rest = later;
        }
        assert_eq!(replies, sent);
    }

    #[test]
    fn a_command_comes_back_as_its_parts(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10),
    ) {
        let mut sent = Vec::new();
        command(&mut sent, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let parts = parts.into_iter().map(Reply::Bulk).collect();
        assert_eq!(decode(&sent, 7), (vec![Reply::Array(parts)], None));
    }

    #[test]
    fn any_bytes_read_alike_at_any_split(bytes in bytes(), size in 1_usize..20) {
        assert_eq!(decode(&bytes, usize::MAX), decode(&bytes, size));
    }

    /// What takes the most is an array of one empty text: seven bytes, and room for four values.
    #[test]
    fn what_is_held_is_in_proportion_to_what_came(bytes in bytes()) {
        let mut decoder = Decoder::default();
        for at in 0..bytes.len() {
            match decoder.next(&mut &bytes[at..=at]) {
                Ok(None) => assert!(held(&decoder) <= 256 + 32 * (at + 1), "{decoder:?}"),
                Ok(Some(_)) | Err(_) => assert_eq!(held(&decoder), 0),
            }
        }
    }
}
