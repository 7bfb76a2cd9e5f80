package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"github.com/IBM/sarama"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// runMake makes what an operator makes before anybody starts: a topic of so many
// partitions, or a topic of Pub/Sub and subscriptions to it that keep its order or do not.
func runMake(ctx context.Context, args []string, _ io.Reader, _ io.Writer) error {
	switch {
	case len(args) == 3 && args[0] == "kafka":
		return makeKafka(args[1], args[2])
	case len(args) > 4 && args[0] == "gcppubsub" && (args[3] == "ordered" || args[3] == "unordered"):
		return makeGoogle(ctx, args[1], args[2], args[3] == "ordered", args[4:])
	}
	return errors.New("kafka TOPIC PARTITIONS, or gcppubsub PROJECT TOPIC ordered|unordered SUBSCRIPTION...")
}

func makeKafka(topic, partitions string) error {
	n, err := strconv.ParseInt(partitions, 10, 32)
	if err != nil {
		return err
	}
	config := sarama.NewConfig()
	admin, err := sarama.NewClusterAdmin(strings.Split(os.Getenv("KAFKA_BROKERS"), ","), config)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(n), ReplicationFactor: 1}, false)
}

func makeGoogle(ctx context.Context, project, topic string, ordered bool, subscriptions []string) error {
	connection, err := grpc.NewClient(os.Getenv("PUBSUB_EMULATOR_HOST"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	name := fmt.Sprintf("projects/%s/topics/%s", project, topic)
	if _, err := pubsubpb.NewPublisherClient(connection).CreateTopic(ctx, &pubsubpb.Topic{Name: name}); err != nil {
		return err
	}
	for _, subscription := range subscriptions {
		_, err := pubsubpb.NewSubscriberClient(connection).CreateSubscription(ctx, &pubsubpb.Subscription{
			Name:  fmt.Sprintf("projects/%s/subscriptions/%s", project, subscription),
			Topic: name,
			// The least that Google allows: what a worker had that was killed soon comes again.
			AckDeadlineSeconds:    10,
			EnableMessageOrdering: ordered,
		})
		if err != nil {
			return err
		}
	}
	return nil
}
