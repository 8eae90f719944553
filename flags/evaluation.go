package flags

import (
	"context"

	"github.com/open-feature/go-sdk/openfeature"
)

var _ openfeature.FeatureProvider = (*Provider)(nil)

// Metadata names the provider.
func (*Provider) Metadata() openfeature.Metadata { return openfeature.Metadata{Name: "banyan"} }

// Hooks gives none.
func (*Provider) Hooks() []openfeature.Hook { return nil }

// StringEvaluation gives a capability's stage. The metadata that comes with it may not be changed.
func (p *Provider) StringEvaluation(_ context.Context, flag, fallback string, about openfeature.FlattenedContext) openfeature.StringResolutionDetail {
	if !p.LeaseValid() {
		return refused(fallback, openfeature.NewProviderNotReadyResolutionError("the lease is over: what is known of flags may be out of date"))
	}
	c := p.Flag(flag)
	if c == nil {
		return refused(fallback, openfeature.NewFlagNotFoundResolutionError("there is no capability "+flag))
	}
	key := ""
	if given, ok := about[openfeature.TargetingKey]; ok {
		if key, ok = given.(string); !ok {
			return refused(fallback, openfeature.NewInvalidContextResolutionError("the targeting key is no string"))
		}
	}
	if key == "" {
		return c.detail(c.unkeyed, string(c.unkeyed.Stage), c.unkeyedReason())
	}
	decision, evaluation := c.decide(key)
	return c.detail(decision, evaluation.Variant, evaluation.Reason)
}

func (c *Compiled) detail(d Decision, variant string, reason openfeature.Reason) openfeature.StringResolutionDetail {
	mixed := 0
	if d.Mixed {
		mixed = 1
	}
	return openfeature.StringResolutionDetail{
		Value: string(d.Stage),
		ProviderResolutionDetail: openfeature.ProviderResolutionDetail{
			Reason: reason, Variant: variant, FlagMetadata: c.metadata[d.Reads][mixed],
		},
	}
}

func (c *Compiled) unkeyedReason() openfeature.Reason {
	switch {
	case c.unkeyed.Stage == Hold:
		return Moving
	case c.unkeyed.Mixed:
		return openfeature.DefaultReason
	default:
		return openfeature.StaticReason
	}
}

func refused[T any](fallback T, err openfeature.ResolutionError) openfeature.GenericResolutionDetail[T] {
	return openfeature.GenericResolutionDetail[T]{
		Value:                    fallback,
		ProviderResolutionDetail: openfeature.ProviderResolutionDetail{ResolutionError: err, Reason: openfeature.ErrorReason},
	}
}

func mismatch[T any](fallback T) openfeature.GenericResolutionDetail[T] {
	return refused(fallback, openfeature.NewTypeMismatchResolutionError("a capability's flag is a string: its stage"))
}

// BooleanEvaluation gives TYPE_MISMATCH.
func (*Provider) BooleanEvaluation(_ context.Context, _ string, fallback bool, _ openfeature.FlattenedContext) openfeature.BoolResolutionDetail {
	return mismatch(fallback)
}

// FloatEvaluation gives TYPE_MISMATCH.
func (*Provider) FloatEvaluation(_ context.Context, _ string, fallback float64, _ openfeature.FlattenedContext) openfeature.FloatResolutionDetail {
	return mismatch(fallback)
}

// IntEvaluation gives TYPE_MISMATCH.
func (*Provider) IntEvaluation(_ context.Context, _ string, fallback int64, _ openfeature.FlattenedContext) openfeature.IntResolutionDetail {
	return mismatch(fallback)
}

// ObjectEvaluation gives TYPE_MISMATCH.
func (*Provider) ObjectEvaluation(_ context.Context, _ string, fallback any, _ openfeature.FlattenedContext) openfeature.InterfaceResolutionDetail {
	return mismatch(fallback)
}
