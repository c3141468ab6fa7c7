import static io.kurrent.dbclient.StreamState.any;
import static io.kurrent.dbclient.StreamState.noStream;
import static io.kurrent.dbclient.StreamState.streamExists;
import static io.kurrent.dbclient.StreamState.streamRevision;

import io.kurrent.dbclient.*;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What the client for Java does, checked: Check HOST:PORT. See run.py for what it prints. */
class Check {
    static final int RETRY_MS = 100;
    static final int EVENTS = 20;
    static final int RESTART_AT = 7;
    /** A client that has not found its server in so many attempts, one each 100 ms, is closed for good. */
    static final String OPTIONS = "?tls=false&maxDiscoverAttempts=600&gossipTimeout=20000";

    static String address;
    static KurrentDBClient client;
    static KurrentDBPersistentSubscriptionsClient groups;

    interface Checked {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        address = arguments[0];
        client = connect("kurrentdb://" + address + OPTIONS);
        groups = KurrentDBPersistentSubscriptionsClient.from(client);
        holds("discovery", Check::discovery);
        holds("expected revisions", Check::expectedRevisions);
        holds("the same append again", Check::theSameAppendAgain);
        holds("reading a stream", Check::readingAStream);
        holds("reading $all", Check::readingAll);
        holds("stream metadata", Check::streamMetadata);
        holds("deletion", Check::deletion);
        holds("appends to several streams", Check::appendsToSeveralStreams);
        holds("a subscription through a restart", Check::aSubscriptionThroughARestart);
        holds("a persistent subscription", Check::aPersistentSubscription);
        client.shutdown().get();
        System.exit(0);
    }

    static void holds(String says, Checked check) {
        try {
            check.run();
        } catch (Throwable error) {
            error.printStackTrace();
            System.exit(1);  // threads of the client would go on
        }
        System.out.println(says);
    }

    // --- What the checks are made of ---

    static void same(Object found, Object expected) {
        if (!found.equals(expected)) throw new AssertionError(found + " instead of " + expected);
    }

    static void refused(Class<? extends Throwable> error, CompletableFuture<?> call) throws InterruptedException {
        try {
            throw new AssertionError(call.get() + " instead of " + error);
        } catch (ExecutionException wrapped) {
            if (!error.isInstance(wrapped.getCause())) throw new AssertionError(wrapped);
        }
    }

    static KurrentDBClient connect(String url) {
        return KurrentDBClient.create(KurrentDBConnectionString.parseOrThrow(url));
    }

    static String name() {
        return "order-" + UUID.randomUUID();
    }

    static byte[] bytes(Object text) {
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    static EventData event(int number) {
        var built = EventDataBuilder.json(UUID.randomUUID(), "Placed", bytes(number));
        return built.metadataAsBytes(bytes("{\"by\": \"java\"}")).build();
    }

    static EventData[] numbered(int count) {
        return IntStream.range(0, count).mapToObj(Check::event).toArray(EventData[]::new);
    }

    static CompletableFuture<WriteResult> append(String stream, StreamState expected, EventData... events) {
        return client.appendToStream(stream, AppendToStreamOptions.get().streamState(expected), events);
    }

    static String added(int count) throws Exception {
        String stream = name();
        append(stream, noStream(), numbered(count)).get();
        return stream;
    }

    static List<String> numbers(ReadResult found, Predicate<RecordedEvent> wanted) {
        return found.getEvents().stream().map(ResolvedEvent::getEvent).filter(wanted)
            .map(event -> event.getRevision() + ": " + new String(event.getEventData(), StandardCharsets.UTF_8))
            .collect(Collectors.toList());
    }

    static List<String> read(String stream, ReadStreamOptions options) throws Exception {
        return numbers(client.readStream(stream, options).get(), event -> true);
    }

    // --- The checks ---

    static void discovery() throws Exception {
        KurrentDBClient discovering = connect("kurrentdb+discover://" + address + OPTIONS);
        discovering.appendToStream(name(), event(0)).get();
        discovering.shutdown().get();
    }

    static void expectedRevisions() throws Exception {
        String stream = name();
        same(append(stream, noStream(), numbered(2)).get().getNextExpectedRevision(), streamRevision(1));
        for (StreamState expected : List.of(streamRevision(1), streamExists(), any()))
            append(stream, expected, event(0)).get();
        for (StreamState expected : List.of(noStream(), streamRevision(3), streamRevision(5)))
            refused(WrongExpectedVersionException.class, append(stream, expected, event(0)));
        for (StreamState expected : List.of(streamExists(), streamRevision(0)))
            refused(WrongExpectedVersionException.class, append(name(), expected, event(0)));
    }

    static void theSameAppendAgain() throws Exception {
        String stream = name();
        EventData[] events = numbered(2);
        Position first = append(stream, noStream(), events).get().getLogPosition();
        append(stream, streamRevision(1), event(2)).get();
        same(append(stream, noStream(), events).get().getLogPosition(), first);
        same(read(stream, ReadStreamOptions.get()), List.of("0: 0", "1: 1", "2: 2"));
    }

    static void readingAStream() throws Exception {
        String stream = added(4);
        same(read(stream, ReadStreamOptions.get()), List.of("0: 0", "1: 1", "2: 2", "3: 3"));
        var backwards = ReadStreamOptions.get().backwards();
        same(read(stream, backwards.fromEnd()), List.of("3: 3", "2: 2", "1: 1", "0: 0"));
        same(read(stream, ReadStreamOptions.get().fromRevision(1).maxCount(2)), List.of("1: 1", "2: 2"));
        same(read(stream, backwards.fromRevision(2).maxCount(2)), List.of("2: 2", "1: 1"));
        RecordedEvent event = client.readStream(stream, ReadStreamOptions.get()).get().getEvents().get(0).getEvent();
        same(List.of(event.getEventType(), event.getContentType()), List.of("Placed", "application/json"));
        same(new String(event.getUserMetadata(), StandardCharsets.UTF_8), "{\"by\": \"java\"}");
        refused(StreamNotFoundException.class, client.readStream(name(), ReadStreamOptions.get()));
    }

    static void readingAll() throws Exception {
        String stream = added(3);
        ReadResult all = client.readAll(ReadAllOptions.get().maxCount(1_000_000)).get();
        same(numbers(all, event -> event.getStreamId().equals(stream)), List.of("0: 0", "1: 1", "2: 2"));
        ReadResult last = client.readAll(ReadAllOptions.get().backwards().fromEnd().maxCount(2)).get();
        same(numbers(last, event -> true), List.of("2: 2", "1: 1"));
        Position second = last.getEvents().get(1).getEvent().getPosition();
        ReadResult after = client.readAll(ReadAllOptions.get().fromPosition(second).maxCount(2)).get();
        same(numbers(after, event -> true), List.of("1: 1", "2: 2"));
    }

    static void streamMetadata() throws Exception {
        String stream = added(3);
        StreamMetadata kept = new StreamMetadata();
        kept.setMaxCount(2L);
        client.setStreamMetadata(stream, AppendToStreamOptions.get().streamState(noStream()), kept).get();
        same(client.getStreamMetadata(stream).get().getMaxCount(), 2L);
        same(read(stream, ReadStreamOptions.get()), List.of("1: 1", "2: 2"));
    }

    static void deletion() throws Exception {
        String stream = added(2);
        var wrong = DeleteStreamOptions.get().streamState(streamRevision(5));
        refused(WrongExpectedVersionException.class, client.deleteStream(stream, wrong));
        client.deleteStream(stream, DeleteStreamOptions.get().streamState(streamRevision(1))).get();
        refused(StreamNotFoundException.class, client.readStream(stream, ReadStreamOptions.get()));
        append(stream, noStream(), event(2)).get();
        same(read(stream, ReadStreamOptions.get()), List.of("2: 2"));
    }

    static AppendStreamRequest to(String stream, StreamState expected) {
        return new AppendStreamRequest(stream, Arrays.asList(numbered(1)).iterator(), expected);
    }

    static void appendsToSeveralStreams() throws Exception {
        String one = name();
        String other = name();
        client.multiStreamAppend(List.of(to(one, noStream()), to(other, noStream())).iterator()).get();
        var halfWrong = List.of(to(one, streamRevision(0)), to(other, streamRevision(7)));
        refused(WrongExpectedVersionException.class, client.multiStreamAppend(halfWrong.iterator()));
        for (String stream : List.of(one, other)) same(read(stream, ReadStreamOptions.get()), List.of("0: 0"));
    }

    static void aSubscriptionThroughARestart() throws Exception {
        String stream = name();
        var written = CompletableFuture.runAsync(() -> write(stream));
        List<Long> found = new ArrayList<>();
        var follower = new Follower(stream);
        while (found.size() < EVENTS) {
            found.add(follower.next());
            if (found.size() == RESTART_AT) System.out.println("RESTART");
        }
        System.in.read();
        written.get();
        same(found, IntStream.range(0, EVENTS).mapToObj(number -> (long) number).collect(Collectors.toList()));
    }

    /** One by one, and again what may not have been stored. */
    static void write(String stream) {
        for (int number = 0; number < EVENTS; number++) {
            EventData event = event(number);
            StreamState expected = number == 0 ? noStream() : streamRevision(number - 1);
            while (true) {
                try {
                    append(stream, expected, event).get();
                    break;
                } catch (Exception error) {
                    if (error.getCause() instanceof WrongExpectedVersionException) throw new AssertionError(error);
                    pause();
                }
            }
        }
    }

    static void pause() {
        try {
            Thread.sleep(RETRY_MS);
        } catch (InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    /** By a subscription to all, which is made again from the last event when it breaks. */
    static class Follower extends SubscriptionListener {
        final BlockingQueue<RecordedEvent> received = new LinkedBlockingQueue<>();
        final SubscriptionFilter filter;
        Position last;

        Follower(String stream) {
            filter = SubscriptionFilter.newBuilder().addStreamNamePrefix(stream).build();
            subscribe();
        }

        void subscribe() {
            var options = SubscribeToAllOptions.get().filter(filter);
            options = last == null ? options.fromStart() : options.fromPosition(last);
            client.subscribeToAll(this, options).exceptionally(error -> {
                pause();
                subscribe();
                return null;
            });
        }

        @Override
        public void onEvent(Subscription subscription, ResolvedEvent event) {
            last = event.getEvent().getPosition();
            received.add(event.getEvent());
        }

        @Override
        public void onCancelled(Subscription subscription, Throwable error) {
            pause();
            subscribe();
        }

        long next() throws InterruptedException {
            return received.take().getRevision();
        }
    }

    static void aPersistentSubscription() throws Exception {
        String stream = added(3);
        String group = "billing";
        groups.createToStream(stream, group, CreatePersistentSubscriptionToStreamOptions.get().fromStart()).get();
        List<Long> found = Collections.synchronizedList(new ArrayList<>());
        var done = new CompletableFuture<Void>();
        var subscription = groups.subscribeToStream(stream, group, new PersistentSubscriptionListener() {
            @Override
            public void onEvent(PersistentSubscription subscription, int retries, ResolvedEvent event) {
                found.add(event.getEvent().getRevision());
                if (found.size() == 2) {
                    subscription.nack(NackAction.Park, "of no use", event);  // which holds up its stream
                    CompletableFuture.runAsync(() -> replayParked(stream, group));
                } else subscription.ack(event);
                if (found.size() == 4) done.complete(null);
            }

            @Override
            public void onCancelled(PersistentSubscription subscription, Throwable error) {
                done.completeExceptionally(error == null ? new AssertionError("cancelled") : error);
            }
        }).get();
        done.get();
        subscription.stop();
        same(found, List.of(0L, 1L, 1L, 2L));
        groups.deleteToStream(stream, group).get();
        same(groups.getInfoToStream(stream, group).get().isPresent(), false);
    }

    static void replayParked(String stream, String group) {
        try {
            while (groups.getInfoToStream(stream, group).get().get().getStats().getParkedMessageCount() == 0) pause();
            groups.replayParkedMessagesToStream(stream, group).get();
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }
}
