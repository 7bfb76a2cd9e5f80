package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	servicebus "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/IBM/sarama"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/nats-io/nats.go"
	"gocloud.dev/pubsub"
	_ "gocloud.dev/pubsub/awssnssqs"
	_ "gocloud.dev/pubsub/gcppubsub"
	_ "gocloud.dev/pubsub/kafkapubsub"
	_ "gocloud.dev/pubsub/natspubsub"
)

// farewell is how long a bus may take to send what is under way.
const farewell = 10 * time.Second

// A writer publishes events.
type writer struct {
	topic *pubsub.Topic
	// metadata are sent with every event. The original sets none.
	metadata map[string]string
}

func openWriter(ctx context.Context, url string) (*writer, error) {
	topic, err := pubsub.OpenTopic(ctx, url)
	if err != nil {
		return nil, err
	}
	return &writer{topic: topic}, nil
}

func (w *writer) write(ctx context.Context, e event) (envelope, error) {
	wrapped, err := wrap(e)
	if err != nil {
		return envelope{}, err
	}
	return wrapped, w.send(ctx, wrapped, e.key())
}

func (w *writer) send(ctx context.Context, wrapped envelope, key string) error {
	body, err := json.Marshal(wrapped)
	if err != nil {
		return err
	}
	return w.topic.Send(ctx, &pubsub.Message{Body: body, Metadata: w.metadata, BeforeSend: keyed(key)})
}

// close sends what is under way. A server of the original lives long enough for
// NATS to have sent it by itself; this program does not.
func (w *writer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := w.topic.Shutdown(ctx)
	return errors.Join(err, flush(w.topic))
}

// keyed gives a message the key that orders it, where the original knows how to.
func keyed(key string) func(as func(any) bool) error {
	return func(as func(any) bool) error {
		var (
			google *pubsubpb.PubsubMessage
			amazon *snstypes.PublishBatchRequestEntry
			kafka  *sarama.ProducerMessage
			azure  *servicebus.Message
		)
		switch {
		case as(&google):
			google.OrderingKey = key
		case as(&amazon):
			amazon.MessageGroupId = &key
		case as(&kafka):
			kafka.Key = sarama.StringEncoder(key)
		case as(&azure):
			azure.PartitionKey = &key
		}
		return nil
	}
}

// keyOf is the key of a message that came.
func keyOf(message *pubsub.Message) string {
	var (
		google *pubsubpb.PubsubMessage
		amazon sqstypes.Message
		kafka  *sarama.ConsumerMessage
	)
	switch {
	case message.As(&google):
		return google.OrderingKey
	case message.As(&amazon):
		return amazon.Attributes[string(sqstypes.MessageSystemAttributeNameMessageGroupId)]
	case message.As(&kafka):
		return string(kafka.Key)
	}
	return ""
}

// partitionOf is where a message was, on Kafka.
func partitionOf(message *pubsub.Message) *int32 {
	var kafka *sarama.ConsumerMessage
	if message.As(&kafka) {
		return &kafka.Partition
	}
	return nil
}

// flush waits until a server of NATS has all that this process told it. All topics
// and subscriptions of a process share a connection.
func flush(topic *pubsub.Topic) error {
	var connection *nats.Conn
	if !topic.As(&connection) {
		return nil
	}
	return connection.FlushTimeout(farewell)
}

// A handler is told of each event.
type handler func(ctx context.Context, wrapped envelope, message *pubsub.Message) error

// errEnough ends reading without being an error; the message counts as handled.
var errEnough = errors.New("enough")

// read says on stdout that it is ready, and hands the events of a bus to handle, one
// after the other, until it has enough or the context ends. What fails is handed
// back, and ends it.
func read(ctx context.Context, url string, stdout io.Writer, handle handler) error {
	subscription, err := pubsub.OpenSubscription(ctx, url)
	if err != nil {
		return err
	}
	if err := subscribed(ctx, url); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(stdout, "ready"); err != nil {
		return err
	}
	err = receive(ctx, subscription, handle)
	closing, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, subscription.Shutdown(closing))
}

func receive(ctx context.Context, subscription *pubsub.Subscription, handle handler) error {
	for {
		message, err := subscription.Receive(ctx)
		if err != nil {
			return err
		}
		var wrapped envelope
		if err := json.Unmarshal(message.Body, &wrapped); err != nil {
			handBack(message)
			return fmt.Errorf("no envelope: %w: %q", err, message.Body)
		}
		err = handle(ctx, wrapped, message)
		if err != nil && !errors.Is(err, errEnough) {
			handBack(message)
			return fmt.Errorf("event %s: %w", wrapped.ID, err)
		}
		message.Ack()
		if err != nil {
			return err
		}
	}
}

func handBack(message *pubsub.Message) {
	if message.Nackable() {
		message.Nack()
	}
}

// subscribed waits until a server of NATS knows of the subscription: what is
// published before that, nobody gets.
func subscribed(ctx context.Context, url string) error {
	if !strings.HasPrefix(url, "nats://") {
		return nil
	}
	topic, err := pubsub.OpenTopic(ctx, "nats://any")
	if err != nil {
		return err
	}
	return flush(topic)
}

// runPublish publishes {"type", "payload"} for each line; further arguments
// NAME=VALUE are metadata.
func runPublish(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("no bus")
	}
	w, err := openWriter(ctx, args[0])
	if err != nil {
		return err
	}
	for _, arg := range args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		if w.metadata == nil {
			w.metadata = map[string]string{}
		}
		w.metadata[name] = value
	}
	lines, out := json.NewDecoder(stdin), json.NewEncoder(stdout)
	for {
		var line struct {
			Type    string
			Payload json.RawMessage
		}
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return w.close()
		} else if err != nil {
			return err
		}
		e, err := decode(line.Type, line.Payload)
		if err != nil {
			return err
		}
		wrapped, err := w.write(ctx, e)
		if err != nil {
			return err
		}
		if err := out.Encode(wrapped); err != nil {
			return err
		}
	}
}

// A line is an event as consume prints it: as it was understood, and as it came.
type line struct {
	ID        string            `json:"id"`
	Timestamp time.Time         `json:"timestamp"`
	Type      string            `json:"type"`
	Event     event             `json:"event"`
	Key       string            `json:"key"`
	Partition *int32            `json:"partition,omitempty"`
	Metadata  map[string]string `json:"metadata"`
	Body      string            `json:"body"`
}

// runConsume says ready, and then what comes: so many events, or until it is told
// to stop.
func runConsume(ctx context.Context, args []string, _ io.Reader, stdout io.Writer) error {
	if len(args) != 1 && len(args) != 2 {
		return errors.New("a bus, and how many events")
	}
	left := math.MaxInt
	if len(args) == 2 {
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return fmt.Errorf("no number of events: %q", args[1])
		}
		left = n
	}
	out := json.NewEncoder(stdout)
	return read(ctx, args[0], stdout, func(_ context.Context, wrapped envelope, message *pubsub.Message) error {
		e, err := decode(wrapped.Type, wrapped.Payload)
		if err != nil {
			return err
		}
		said := line{
			wrapped.ID, wrapped.Timestamp, wrapped.Type, e,
			keyOf(message), partitionOf(message), message.Metadata, string(message.Body),
		}
		if err := out.Encode(said); err != nil {
			return err
		}
		if left--; left == 0 {
			return errEnough
		}
		return nil
	})
}
