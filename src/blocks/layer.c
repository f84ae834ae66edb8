/* SPDX-License-Identifier: Apache-2.0
 *
 * The transformer layer, with its norms behind the additions or before the sublayers. */
#include "blocks/blocks.h"

og_val og_post_norm(og_build *b, og_val x, og_layer_o o)
{
	int64_t hidden = 0;
	og_val a = og_attention(b, x, o.attention);
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &hidden); /* attention saw to it */
	x = og_layer_norm(b, og_add(b, a, x), o.attention_norm, o.eps);
	og_val h = og_act(b, og_linear(b, x, o.up, o.ffn), o.act);
	h = og_linear(b, h, o.down, hidden);
	return og_layer_norm(b, og_add(b, h, x), o.norm, o.eps);
}

og_val og_pre_norm(og_build *b, og_val x, og_layer_o o)
{
	int64_t hidden = 0;
	og_val a = og_attention(b, og_layer_norm(b, x, o.attention_norm, o.eps), o.attention);
	if (og_build_stuck(b))
		return OG_NONE;
	og_dim_is_int(og_build_dims(b), og_dim_at(b, x, -1), &hidden); /* attention saw to it */
	x = og_add(b, a, x);
	og_val h = og_act(b, og_linear(b, og_layer_norm(b, x, o.norm, o.eps), o.up, o.ffn), o.act);
	return og_add(b, og_linear(b, h, o.down, hidden), x);
}
