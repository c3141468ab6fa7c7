// What the client for Go does, checked: check HOST:PORT. See run.py for what it prints.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/kurrent-io/KurrentDB-Client-Go/kurrentdb"
)

const (
	retry     = 100 * time.Millisecond
	events    = 20
	restartAt = 7
	all       = ^uint64(0)
)

var (
	ctx    = context.Background()
	client *kurrentdb.Client
)

func main() {
	client = connect("kurrentdb://" + os.Args[1] + "?tls=false")
	for _, check := range []struct {
		says string
		run  func()
	}{
		{"discovery", discovery},
		{"expected revisions", expectedRevisions},
		{"the same append again", theSameAppendAgain},
		{"reading a stream", readingAStream},
		{"reading $all", readingAll},
		{"stream metadata", streamMetadata},
		{"deletion", deletion},
		{"appends to several streams", appendsToSeveralStreams},
		{"a subscription through a restart", aSubscriptionThroughARestart},
		{"a persistent subscription", aPersistentSubscription},
	} {
		check.run()
		fmt.Println(check.says)
	}
	must(client.Close())
}

// --- What the checks are made of ---

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("%v instead of %v", found, expected))
	}
}

func refused(err error, code kurrentdb.ErrorCode) {
	if known, _ := kurrentdb.FromError(err); err == nil || !known.IsErrorCode(code) {
		panic(fmt.Sprintf("%v instead of the error %v", err, code))
	}
}

func connect(url string) *kurrentdb.Client {
	settings, err := kurrentdb.ParseConnectionString(url)
	must(err)
	settings.Logger = kurrentdb.NoopLogging()
	connected, err := kurrentdb.NewClient(settings)
	must(err)
	return connected
}

func name() string { return "order-" + uuid.NewString() }

func event(number int) kurrentdb.EventData {
	return kurrentdb.EventData{
		EventID: uuid.New(), EventType: "Placed", ContentType: kurrentdb.ContentTypeJson,
		Data: []byte(strconv.Itoa(number)), Metadata: []byte(`{"by": "go"}`),
	}
}

func numbered(numbers ...int) (made []kurrentdb.EventData) {
	for _, number := range numbers {
		made = append(made, event(number))
	}
	return made
}

func try(stream string, expected kurrentdb.StreamState, appended ...kurrentdb.EventData) (*kurrentdb.WriteResult, error) {
	return client.AppendToStream(ctx, stream, kurrentdb.AppendToStreamOptions{StreamState: expected}, appended...)
}

func add(stream string, expected kurrentdb.StreamState, appended ...kurrentdb.EventData) *kurrentdb.WriteResult {
	result, err := try(stream, expected, appended...)
	must(err)
	return result
}

func collected(found *kurrentdb.ReadStream, err error) (read []*kurrentdb.RecordedEvent, _ error) {
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for {
		resolved, err := found.Recv()
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err != nil {
			return nil, err
		}
		read = append(read, resolved.Event)
	}
}

func numbers(found []*kurrentdb.RecordedEvent) (read []string) {
	for _, event := range found {
		read = append(read, fmt.Sprintf("%d: %s", event.EventNumber, event.Data))
	}
	return read
}

func readStream(stream string, options kurrentdb.ReadStreamOptions, limit uint64) []string {
	found, err := collected(client.ReadStream(ctx, stream, options, limit))
	must(err)
	return numbers(found)
}

func readAll(options kurrentdb.ReadAllOptions, limit uint64) []*kurrentdb.RecordedEvent {
	found, err := collected(client.ReadAll(ctx, options, limit))
	must(err)
	return found
}

func isMissing(stream string) {
	_, err := collected(client.ReadStream(ctx, stream, kurrentdb.ReadStreamOptions{}, all))
	refused(err, kurrentdb.ErrorCodeResourceNotFound)
}

// --- The checks ---

func discovery() {
	discovering := connect("kurrentdb+discover://" + os.Args[1] + "?tls=false")
	_, err := discovering.AppendToStream(ctx, name(), kurrentdb.AppendToStreamOptions{}, event(0))
	must(err)
	must(discovering.Close())
}

func expectedRevisions() {
	stream := name()
	same(add(stream, kurrentdb.NoStream{}, numbered(0, 1)...).NextExpectedVersion, uint64(1))
	for _, expected := range []kurrentdb.StreamState{kurrentdb.Revision(1), kurrentdb.StreamExists{}, kurrentdb.Any{}} {
		add(stream, expected, event(0))
	}
	for _, expected := range []kurrentdb.StreamState{kurrentdb.NoStream{}, kurrentdb.Revision(3), kurrentdb.Revision(5)} {
		_, err := try(stream, expected, event(0))
		refused(err, kurrentdb.ErrorCodeWrongExpectedVersion)
	}
	for _, expected := range []kurrentdb.StreamState{kurrentdb.StreamExists{}, kurrentdb.Revision(0)} {
		_, err := try(name(), expected, event(0))
		refused(err, kurrentdb.ErrorCodeWrongExpectedVersion)
	}
}

func theSameAppendAgain() {
	stream, appended := name(), numbered(0, 1)
	first := add(stream, kurrentdb.NoStream{}, appended...)
	add(stream, kurrentdb.Revision(1), event(2))
	same(add(stream, kurrentdb.NoStream{}, appended...), first)
	same(readStream(stream, kurrentdb.ReadStreamOptions{}, all), []string{"0: 0", "1: 1", "2: 2"})
}

func readingAStream() {
	stream := name()
	add(stream, kurrentdb.NoStream{}, numbered(0, 1, 2, 3)...)
	backwards := kurrentdb.ReadStreamOptions{Direction: kurrentdb.Backwards, From: kurrentdb.End{}}
	same(readStream(stream, kurrentdb.ReadStreamOptions{}, all), []string{"0: 0", "1: 1", "2: 2", "3: 3"})
	same(readStream(stream, backwards, all), []string{"3: 3", "2: 2", "1: 1", "0: 0"})
	same(readStream(stream, kurrentdb.ReadStreamOptions{From: kurrentdb.Revision(1)}, 2), []string{"1: 1", "2: 2"})
	backwards.From = kurrentdb.Revision(2)
	same(readStream(stream, backwards, 2), []string{"2: 2", "1: 1"})
	isMissing(name())
}

func readingAll() {
	stream, appended := name(), numbered(0, 1, 2)
	add(stream, kurrentdb.NoStream{}, appended...)
	ours := slices.DeleteFunc(readAll(kurrentdb.ReadAllOptions{}, all), func(found *kurrentdb.RecordedEvent) bool {
		return found.StreamID != stream
	})
	same(numbers(ours), []string{"0: 0", "1: 1", "2: 2"})
	same([]any{ours[0].EventID, ours[0].EventType, ours[0].ContentType, string(ours[0].UserMetadata)},
		[]any{appended[0].EventID, "Placed", "application/json", `{"by": "go"}`})
	backwards := kurrentdb.ReadAllOptions{Direction: kurrentdb.Backwards, From: kurrentdb.End{}}
	same(numbers(readAll(backwards, 2)), []string{"2: 2", "1: 1"})
	same(numbers(readAll(kurrentdb.ReadAllOptions{From: ours[1].Position}, 2)), []string{"1: 1", "2: 2"})
}

func streamMetadata() {
	stream := name()
	add(stream, kurrentdb.NoStream{}, numbered(0, 1, 2)...)
	var kept kurrentdb.StreamMetadata
	kept.SetMaxCount(2)
	kept.AddCustomProperty("kept", "for the audit")
	_, err := client.SetStreamMetadata(ctx, stream, kurrentdb.AppendToStreamOptions{StreamState: kurrentdb.NoStream{}}, kept)
	must(err)
	found, err := client.GetStreamMetadata(ctx, stream, kurrentdb.ReadStreamOptions{})
	must(err)
	same([]any{*found.MaxCount(), found.CustomProperty("kept")}, []any{uint64(2), "for the audit"})
	same(readStream(stream, kurrentdb.ReadStreamOptions{}, all), []string{"1: 1", "2: 2"})
}

func deletion() {
	stream := name()
	add(stream, kurrentdb.NoStream{}, numbered(0, 1)...)
	_, err := client.DeleteStream(ctx, stream, kurrentdb.DeleteStreamOptions{StreamState: kurrentdb.Revision(5)})
	// The client has no error of its own for it.
	same(err != nil && strings.Contains(err.Error(), "WrongExpectedVersion"), true)
	_, err = client.DeleteStream(ctx, stream, kurrentdb.DeleteStreamOptions{StreamState: kurrentdb.Revision(1)})
	must(err)
	isMissing(stream)
	add(stream, kurrentdb.NoStream{}, event(2))
	same(readStream(stream, kurrentdb.ReadStreamOptions{}, all), []string{"2: 2"})
}

func appendsToSeveralStreams() {
	one, other := name(), name()
	to := func(stream string, expected kurrentdb.StreamState) kurrentdb.AppendStreamRequest {
		return kurrentdb.AppendStreamRequest{
			StreamName: stream, ExpectedStreamState: expected, Events: slices.Values(numbered(0)),
		}
	}
	both := []kurrentdb.AppendStreamRequest{to(one, kurrentdb.NoStream{}), to(other, kurrentdb.NoStream{})}
	_, err := client.MultiStreamAppend(ctx, slices.Values(both))
	must(err)
	halfWrong := []kurrentdb.AppendStreamRequest{to(one, kurrentdb.Revision(0)), to(other, kurrentdb.Revision(7))}
	_, err = client.MultiStreamAppend(ctx, slices.Values(halfWrong))
	refused(err, kurrentdb.ErrorCodeStreamRevisionConflict)
	for _, stream := range []string{one, other} {
		same(readStream(stream, kurrentdb.ReadStreamOptions{}, all), []string{"0: 0"})
	}
}

func aSubscriptionThroughARestart() {
	stream := name()
	written := make(chan struct{})
	go func() { write(stream); close(written) }()
	var found []uint64
	for event := range followed(stream) {
		found = append(found, event.EventNumber)
		if len(found) == restartAt {
			fmt.Println("RESTART")
		}
		if len(found) == events {
			break
		}
	}
	_, err := bufio.NewReader(os.Stdin).ReadString('\n')
	must(err)
	<-written
	for number := range found {
		same(found[number], uint64(number))
	}
}

// One by one, and again what may not have been stored.
func write(stream string) {
	for number := range events {
		var expected kurrentdb.StreamState = kurrentdb.NoStream{}
		if number > 0 {
			expected = kurrentdb.Revision(uint64(number - 1))
		}
		appended := event(number)
		for {
			_, err := try(stream, expected, appended)
			if err == nil {
				break
			}
			if known, _ := kurrentdb.FromError(err); known.IsErrorCode(kurrentdb.ErrorCodeWrongExpectedVersion) {
				panic(err)
			}
			time.Sleep(retry)
		}
	}
}

// By a subscription to all, which is made again from the last event when it breaks.
func followed(stream string) func(yield func(*kurrentdb.RecordedEvent) bool) {
	return func(yield func(*kurrentdb.RecordedEvent) bool) {
		filter := kurrentdb.SubscriptionFilter{Type: kurrentdb.StreamFilterType, Prefixes: []string{stream}}
		options := kurrentdb.SubscribeToAllOptions{From: kurrentdb.Start{}, Filter: &filter}
		for {
			subscription, err := client.SubscribeToAll(ctx, options)
			if err != nil {
				time.Sleep(retry)
				continue
			}
			for {
				received := subscription.Recv()
				if received.SubscriptionDropped != nil {
					break
				}
				if received.EventAppeared == nil {
					continue
				}
				event := received.EventAppeared.Event
				options.From = event.Position
				if !yield(event) {
					must(subscription.Close())
					return
				}
			}
		}
	}
}

func aPersistentSubscription() {
	stream, group := name(), "billing"
	add(stream, kurrentdb.NoStream{}, numbered(0, 1, 2)...)
	options := kurrentdb.PersistentStreamSubscriptionOptions{StartFrom: kurrentdb.Start{}}
	must(client.CreatePersistentSubscription(ctx, stream, group, options))
	none := kurrentdb.SubscribeToPersistentSubscriptionOptions{}
	subscription, err := client.SubscribeToPersistentSubscription(ctx, stream, group, none)
	must(err)
	var found []uint64
	for len(found) < 4 {
		received := subscription.Recv()
		if received.SubscriptionDropped != nil {
			panic(received.SubscriptionDropped.Error)
		}
		if received.EventAppeared == nil {
			continue
		}
		resolved := received.EventAppeared.Event
		found = append(found, resolved.Event.EventNumber)
		if len(found) == 2 {
			must(subscription.Nack("of no use", kurrentdb.NackActionPark, resolved)) // which holds up its stream
			replayParked(stream, group)
		} else {
			must(subscription.Ack(resolved))
		}
	}
	must(subscription.Close())
	same(found, []uint64{0, 1, 1, 2})
	must(client.DeletePersistentSubscription(ctx, stream, group, kurrentdb.DeletePersistentSubscriptionOptions{}))
	_, err = client.GetPersistentSubscriptionInfo(ctx, stream, group, kurrentdb.GetPersistentSubscriptionOptions{})
	refused(err, kurrentdb.ErrorCodeResourceNotFound)
}

func replayParked(stream, group string) {
	for {
		info, err := client.GetPersistentSubscriptionInfo(ctx, stream, group, kurrentdb.GetPersistentSubscriptionOptions{})
		must(err)
		if info.Stats.ParkedMessagesCount > 0 {
			break
		}
		time.Sleep(retry)
	}
	must(client.ReplayParkedMessages(ctx, stream, group, kurrentdb.ReplayParkedMessagesOptions{}))
}
