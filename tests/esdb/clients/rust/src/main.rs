//! What the client for Rust does, checked: check HOST:PORT. See run.py for what it prints.

use std::fmt::Debug;
use std::io::stdin;
use std::time::Duration;

use kurrentdb::{
    AppendToStreamOptions, Client, DeleteStreamOptions, Error, EventData, NakAction, PersistentSubscriptionOptions,
    ReadAllOptions, ReadStream, ReadStreamOptions, RecordedEvent, Result, RetryOptions, StreamMetadata,
    StreamMetadataResult, StreamPosition, StreamState, SubscribeToAllOptions, SubscriptionFilter, WriteResult,
};
use uuid::Uuid;

const RETRY: Duration = Duration::from_millis(100);
const EVENTS: u64 = 20;
const RESTART_AT: usize = 7;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let address = std::env::args().nth(1).expect("HOST:PORT");
    let checks = Checks { client: connect(&format!("esdb://{address}?tls=false")) };
    discovery(&address).await;
    println!("discovery");
    checks.expected_revisions().await;
    println!("expected revisions");
    checks.the_same_append_again().await;
    println!("the same append again");
    checks.reading_a_stream().await;
    println!("reading a stream");
    checks.reading_all().await;
    println!("reading $all");
    checks.stream_metadata().await;
    println!("stream metadata");
    checks.deletion().await;
    println!("deletion");
    checks.a_subscription_through_a_restart().await;
    println!("a subscription through a restart");
    checks.a_persistent_subscription().await;
    println!("a persistent subscription");
}

// --- What the checks are made of ---

struct Checks {
    client: Client,
}

fn connect(url: &str) -> Client {
    Client::new(url.parse().expect("a URL")).expect("a client")
}

fn name() -> String {
    format!("order-{}", Uuid::new_v4())
}

fn event(number: u64) -> EventData {
    let event = EventData::json("Placed", &number).unwrap().id(Uuid::new_v4());
    event.metadata_as_json(&serde_json::json!({"by": "rust"})).unwrap()
}

fn numbered(count: u64) -> Vec<EventData> {
    (0..count).map(event).collect()
}

fn numbers(found: &[RecordedEvent]) -> Vec<(u64, u64)> {
    found.iter().map(|event| (event.revision, event.as_json().unwrap())).collect()
}

fn is_wrong_revision<T: Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(Error::WrongExpectedVersion { .. })), "{outcome:?}");
}

fn is_missing<T: Debug>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(Error::ResourceNotFound)), "{outcome:?}");
}

async fn collected(mut stream: ReadStream) -> Result<Vec<RecordedEvent>> {
    let mut found = Vec::new();
    while let Some(resolved) = stream.next().await? {
        found.push(resolved.event.expect("an event"));
    }
    Ok(found)
}

impl Checks {
    async fn append(&self, stream: &str, expected: StreamState, events: Vec<EventData>) -> Result<WriteResult> {
        let options = AppendToStreamOptions::default().stream_state(expected);
        self.client.append_to_stream(stream, &options, events).await
    }

    async fn added(&self, count: u64) -> String {
        let stream = name();
        self.append(&stream, StreamState::NoStream, numbered(count)).await.unwrap();
        stream
    }

    async fn read(&self, stream: &str, options: ReadStreamOptions) -> Result<Vec<RecordedEvent>> {
        collected(self.client.read_stream(stream, &options).await?).await
    }

    async fn all(&self, options: ReadAllOptions) -> Vec<RecordedEvent> {
        collected(self.client.read_all(&options).await.unwrap()).await.unwrap()
    }
}

// --- The checks ---

async fn discovery(address: &str) {
    let client = connect(&format!("esdb+discover://{address}?tls=false"));
    client.append_to_stream(name(), &AppendToStreamOptions::default(), event(0)).await.unwrap();
}

impl Checks {
    async fn expected_revisions(&self) {
        let stream = self.added(2).await;
        for expected in [StreamState::StreamRevision(1), StreamState::StreamExists, StreamState::Any] {
            self.append(&stream, expected, numbered(1)).await.unwrap();
        }
        for expected in [StreamState::NoStream, StreamState::StreamRevision(3), StreamState::StreamRevision(5)] {
            is_wrong_revision(self.append(&stream, expected, numbered(1)).await);
        }
        for expected in [StreamState::StreamExists, StreamState::StreamRevision(0)] {
            is_wrong_revision(self.append(&name(), expected, numbered(1)).await);
        }
    }

    async fn the_same_append_again(&self) {
        let (stream, events) = (name(), numbered(2));
        let first = self.append(&stream, StreamState::NoStream, events.clone()).await.unwrap();
        self.append(&stream, StreamState::StreamRevision(1), numbered(1)).await.unwrap();
        let again = self.append(&stream, StreamState::NoStream, events).await.unwrap();
        assert_eq!((again.next_expected_version, again.position), (first.next_expected_version, first.position));
        assert_eq!(self.read(&stream, ReadStreamOptions::default()).await.unwrap().len(), 3);
    }

    async fn reading_a_stream(&self) {
        let stream = self.added(4).await;
        let all = ReadStreamOptions::default().max_count(100);
        let found = self.read(&stream, all.clone()).await.unwrap();
        assert_eq!(numbers(&found), [(0, 0), (1, 1), (2, 2), (3, 3)]);
        assert_eq!((&*found[0].event_type, found[0].is_json), ("Placed", true));
        assert_eq!(found[0].custom_metadata, br#"{"by":"rust"}"#[..]);
        let backwards = all.backwards().position(StreamPosition::End);
        let found = self.read(&stream, backwards.clone()).await.unwrap();
        assert_eq!(numbers(&found), [(3, 3), (2, 2), (1, 1), (0, 0)]);
        let some = ReadStreamOptions::default().position(StreamPosition::Position(1)).max_count(2);
        assert_eq!(numbers(&self.read(&stream, some).await.unwrap()), [(1, 1), (2, 2)]);
        let some = backwards.position(StreamPosition::Position(2)).max_count(2);
        assert_eq!(numbers(&self.read(&stream, some).await.unwrap()), [(2, 2), (1, 1)]);
        is_missing(self.read(&name(), ReadStreamOptions::default()).await);
    }

    async fn reading_all(&self) {
        let stream = self.added(3).await;
        let mut ours = self.all(ReadAllOptions::default().max_count(1_000_000)).await;
        ours.retain(|event| event.stream_id() == stream);
        assert_eq!(numbers(&ours), [(0, 0), (1, 1), (2, 2)]);
        let backwards = ReadAllOptions::default().backwards().position(StreamPosition::End).max_count(2);
        assert_eq!(numbers(&self.all(backwards).await), [(2, 2), (1, 1)]);
        let after = ReadAllOptions::default().position(StreamPosition::Position(ours[1].position)).max_count(2);
        assert_eq!(numbers(&self.all(after).await), [(1, 1), (2, 2)]);
    }

    async fn stream_metadata(&self) {
        let stream = self.added(3).await;
        let kept = StreamMetadata::builder().max_count(2).insert_custom_property("kept", "for the audit").build();
        let options = AppendToStreamOptions::default().stream_state(StreamState::NoStream);
        self.client.set_stream_metadata(&*stream, &options, &kept).await.unwrap();
        let found = self.client.get_stream_metadata(&*stream, &ReadStreamOptions::default()).await.unwrap();
        let StreamMetadataResult::Success(found) = found else { panic!("{found:?}") };
        assert_eq!((found.version(), found.metadata()), (0, &kept));
        assert_eq!(numbers(&self.read(&stream, ReadStreamOptions::default()).await.unwrap()), [(1, 1), (2, 2)]);
    }

    async fn deletion(&self) {
        let stream = self.added(2).await;
        let wrong = DeleteStreamOptions::default().stream_state(StreamState::StreamRevision(5));
        // The client has no error of its own for it.
        let refused = self.client.delete_stream(&*stream, &wrong).await;
        assert!(format!("{refused:?}").contains("WrongExpectedVersion"), "{refused:?}");
        let right = DeleteStreamOptions::default().stream_state(StreamState::StreamRevision(1));
        self.client.delete_stream(&*stream, &right).await.unwrap();
        is_missing(self.read(&stream, ReadStreamOptions::default()).await);
        self.append(&stream, StreamState::NoStream, vec![event(2)]).await.unwrap();
        assert_eq!(numbers(&self.read(&stream, ReadStreamOptions::default()).await.unwrap()), [(2, 2)]);
    }

    async fn a_subscription_through_a_restart(&self) {
        let stream = name();
        let restarted = async {
            let found = self.followed(&stream).await;
            tokio::task::spawn_blocking(|| stdin().read_line(&mut String::new())).await.unwrap().unwrap();
            found
        };
        let (found, ()) = tokio::join!(restarted, self.write(&stream));
        assert_eq!(found, (0..EVENTS).collect::<Vec<_>>());
    }

    /// One by one, and again what may not have been stored.
    async fn write(&self, stream: &str) {
        for number in 0..EVENTS {
            let expected = number.checked_sub(1).map_or(StreamState::NoStream, StreamState::StreamRevision);
            let events = vec![event(number)];
            while let Err(error) = self.append(stream, expected, events.clone()).await {
                assert!(!matches!(error, Error::WrongExpectedVersion { .. }), "{error:?}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    /// By a subscription to all, which the client itself makes again from the last event when it breaks.
    async fn followed(&self, stream: &str) -> Vec<u64> {
        let filter = SubscriptionFilter::on_stream_name().add_prefix(stream);
        let retry = RetryOptions::default().retry_forever().retry_delay(RETRY);
        let options =
            SubscribeToAllOptions::default().position(StreamPosition::Start).filter(filter).retry_options(retry);
        let mut subscription = self.client.subscribe_to_all(&options).await;
        let mut found = Vec::new();
        while found.len() < EVENTS as usize {
            found.push(subscription.next().await.unwrap().event.unwrap().revision);
            if found.len() == RESTART_AT {
                println!("RESTART");
            }
        }
        found
    }

    async fn a_persistent_subscription(&self) {
        let (stream, group) = (self.added(3).await, "billing");
        let options = PersistentSubscriptionOptions::default().start_from(StreamPosition::Start);
        self.client.create_persistent_subscription(&*stream, group, &options).await.unwrap();
        let mut subscription =
            self.client.subscribe_to_persistent_subscription(&*stream, group, &Default::default()).await.unwrap();
        let mut found = Vec::new();
        while found.len() < 4 {
            let resolved = subscription.next().await.unwrap();
            found.push(resolved.get_original_event().revision);
            if found.len() == 2 {
                subscription.nack(&resolved, NakAction::Park, "of no use").await.unwrap(); // which holds up its stream
                self.replay_parked(&stream, group).await;
            } else {
                subscription.ack(&resolved).await.unwrap();
            }
        }
        assert_eq!(found, [0, 1, 1, 2]);
        self.client.delete_persistent_subscription(&*stream, group, &Default::default()).await.unwrap();
        is_missing(self.client.get_persistent_subscription_info(&*stream, group, &Default::default()).await);
    }

    async fn replay_parked(&self, stream: &str, group: &str) {
        loop {
            let info = self.client.get_persistent_subscription_info(stream, group, &Default::default()).await.unwrap();
            if info.stats.parked_message_count > 0 {
                break;
            }
            tokio::time::sleep(RETRY).await;
        }
        self.client.replay_parked_messages(stream, group, &Default::default()).await.unwrap();
    }
}
