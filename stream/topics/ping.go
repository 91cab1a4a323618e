package topics

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// pingTimeout is how long a cluster has to answer once.
const pingTimeout = 15 * time.Second

// Ping asks the cluster for an answer. An error says what to look at: address, listener, TLS, credentials.
func Ping(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := client.Ping(ctx)
	if err == nil {
		return nil
	}
	return fmt.Errorf("reach the cluster: %s: %w", hint(err), err)
}

// Passing reports whether an error may pass by itself: a broker that is away, slow, or about to give its work to another. What
// only an operator can mend, such as a wrong password, is not.
func Passing(err error) bool {
	var connection *net.OpError
	return kerr.IsRetriable(err) || errors.As(err, &connection) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}

func hint(err error) string {
	var unknownAuthority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return "authentication failed: look at kafka.sasl, user and password"
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return "authentication failed: the broker does not offer this kafka.sasl.mechanism"
	case errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed):
		return "authorization failed: this user may not do that"
	case errors.As(err, &unknownAuthority):
		return "the broker's certificate is of an unknown authority: look at kafka.tls.ca_file"
	case errors.As(err, &hostname):
		return "the broker's certificate is for another name: look at kafka.brokers"
	case errors.As(err, &record):
		return "the broker does not speak TLS on this listener: look at kafka.tls.enabled"
	case errors.As(err, &dns):
		return "no such host: look at kafka.brokers"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: look at kafka.brokers"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "the broker closed the connection: its listener may want TLS or authentication (kafka.tls, kafka.sasl)"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time: look at kafka.brokers and the network"
	default:
		return "no answer"
	}
}
