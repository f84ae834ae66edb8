/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's opcodes for values without parts: numbers, text, bytes, in their binary forms and those of protocol 0. */
#include "codec/pickle_machine_int.h"

#include "base/limits.h"

/* ---- numbers ------------------------------------------------------------------------------------------------------------- */

static og_status push_int(og_machine *m, int64_t i)
{
	og_pval *v = NULL;

	if (i >= 0 && i < (int64_t)OG_COUNT(m->ints))
		return og_machine_share(m, &m->ints[i], OG_P_INT, i);
	OG_TRY(og_machine_make(m, OG_P_INT, 0, &v));
	v->i = i;
	return og_machine_push(m, v);
}

static int64_t short_integer(const uint8_t *p, size_t n) /* 1 … 8 bytes of two's complement */
{
	uint64_t u = p[n - 1] & 0x80 ? UINT64_MAX : 0;

	while (n--)
		u = u << 8 | p[n];
	return (int64_t)u;
}

static og_status push_integer(og_machine *m, const uint8_t *p, size_t n)
{
	og_pval *v = NULL;
	char *copy;

	n = n ? og_ptext_integer_size(p, n) : 0;
	if (n <= 8)
		return push_int(m, n ? short_integer(p, n) : 0);
	OG_TRY(og_machine_make(m, OG_P_BIG, n + 1, &v));
	copy = og_pval_behind(v);
	memcpy(copy, p, n);
	v->text = (og_str){ copy, n };
	return og_machine_push(m, v);
}

og_status og_leaf_truth(og_machine *m)
{
	bool is = m->in.code == 0x88;

	return og_machine_share(m, &m->truth[is], OG_P_BOOL, is);
}

og_status og_leaf_binint(og_machine *m)
{
	return push_int(m, (int64_t)m->in.number);
}

/* INT, LONG. */
og_status og_leaf_int(og_machine *m)
{
	uint8_t bytes[OG_PTEXT_INTEGER_BYTES];
	og_str s = m->in.text;
	char shown[64];
	size_t n;
	int64_t i;

	if (m->in.code == 'I' && (og_str_is(s, "00") || og_str_is(s, "01")))
		return og_machine_share(m, &m->truth[s.p[1] == '1'], OG_P_BOOL, s.p[1] == '1');
	if (m->in.code == 'L' && s.n && s.p[s.n - 1] == 'L')
		s.n--;
	if (s.n && s.p[0] >= '1' && s.p[0] <= '9' && og_parse_i64(s, &i))
		return push_int(m, i);
	if (!og_ptext_integer(s, m->in.code == 'L' ? OG_PBASE_0 : OG_PBASE_C, bytes, &n))
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected an integer, found \"%s\"", m->in.op->name, og_str_show(m->in.text, shown, sizeof(shown)));
	return push_integer(m, bytes, n);
}

static og_status text_max(og_machine *m, bool *skipped)
{
	*skipped = m->in.number > OG_PICKLE_TEXT_MAX;
	if (!*skipped)
		return OG_OK;
	OG_TRY(og_pin_danger(&m->in, ONNXGATE_FORMAT, "%s: expected at most %u bytes, found %llu", m->in.op->name, OG_PICKLE_TEXT_MAX,
		(unsigned long long)m->in.number));
	return og_pin_take(&m->in, NULL);
}

/* LONG1, LONG4. */
og_status og_leaf_long(og_machine *m)
{
	uint8_t small[256];
	size_t n = (size_t)m->in.number;
	og_pval *v = NULL;
	bool skipped = false;

	if (n <= sizeof(small)) {
		OG_TRY(og_pin_take(&m->in, small));
		return push_integer(m, small, n);
	}
	OG_TRY(text_max(m, &skipped));
	if (skipped)
		return push_int(m, 0);
	OG_TRY(og_machine_make(m, OG_P_BIG, n + 1, &v));
	v->text.p = og_pval_behind(v);
	OG_TRY(og_pin_take(&m->in, og_pval_behind(v)));
	v->text.n = og_ptext_integer_size(og_pval_behind(v), n);
	if (v->text.n <= 8) {
		v->kind = OG_P_INT;
		v->i = short_integer(og_pval_behind(v), v->text.n);
	} else {
		((char *)og_pval_behind(v))[v->text.n] = 0;
	}
	return og_machine_push(m, v);
}

static og_status push_float(og_machine *m, double f)
{
	og_pval *v = NULL;

	OG_TRY(og_machine_make(m, OG_P_FLOAT, 0, &v));
	v->f = f;
	return og_machine_push(m, v);
}

og_status og_leaf_float(og_machine *m)
{
	char shown[64];
	double f;

	if (!og_ptext_float(m->in.text, &f))
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "FLOAT: expected a number, found \"%s\"", og_str_show(m->in.text, shown, sizeof(shown)));
	return push_float(m, f);
}

og_status og_leaf_binfloat(og_machine *m)
{
	double f;

	memcpy(&f, &m->in.number, sizeof(f));
	return push_float(m, f);
}

/* ---- text and bytes ------------------------------------------------------------------------------------------------------ */

og_status og_leaf_push(og_machine *m, og_pval *v, bool unicode)
{
	const uint8_t *p = (const uint8_t *)v->text.p;

	if (og_utf8_valid(p, v->text.n))
		v->kind = OG_P_TEXT;
	else if (unicode && !og_ptext_has_surrogates(p, v->text.n))
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "%s: expected UTF-8, found other bytes", m->in.op->name);
	if (m->rules->on_data)
		m->rules->on_data(m->rules->arg, v->text, v->at);
	return og_machine_push(m, v);
}

/* A counted string into a new value. */
static og_status counted(og_machine *m, og_pval **v)
{
	size_t n = (size_t)m->in.number;
	bool skipped = false;

	OG_TRY(text_max(m, &skipped));
	if (skipped)
		n = 0;
	OG_TRY(og_machine_make(m, OG_P_BYTES, n + 1, v));
	(*v)->text = (og_str){ og_pval_behind(*v), n };
	return skipped ? OG_OK : og_pin_take(&m->in, og_pval_behind(*v));
}

og_status og_leaf_binunicode(og_machine *m)
{
	og_pval *v = NULL;

	OG_TRY(counted(m, &v));
	return og_leaf_push(m, v, true);
}

og_status og_leaf_binstring(og_machine *m)
{
	og_pval *v = NULL;

	OG_TRY(counted(m, &v));
	return og_leaf_push(m, v, false);
}

og_status og_leaf_binbytes(og_machine *m)
{
	og_pval *v = NULL;

	OG_TRY(counted(m, &v));
	if (m->rules->on_data)
		m->rules->on_data(m->rules->arg, v->text, v->at);
	return og_machine_push(m, v);
}

og_status og_leaf_string(og_machine *m)
{
	char shown[64];
	og_pval *v = NULL;

	OG_TRY(og_machine_make(m, OG_P_BYTES, m->in.text.n + 1, &v));
	v->text.p = og_pval_behind(v);
	if (!og_ptext_string(m->in.text, og_pval_behind(v), &v->text.n))
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "STRING: expected a quoted string, found %s", og_str_show(m->in.text, shown, sizeof(shown)));
	((char *)og_pval_behind(v))[v->text.n] = 0;
	return og_leaf_push(m, v, false);
}

og_status og_leaf_unicode(og_machine *m)
{
	char shown[64];
	og_pval *v = NULL;

	OG_TRY(og_machine_make(m, OG_P_BYTES, og_ptext_unicode_room(m->in.text) + 1, &v));
	v->text.p = og_pval_behind(v);
	if (!og_ptext_unicode(m->in.text, og_pval_behind(v), &v->text.n))
		return og_pin_bad(&m->in, ONNXGATE_FORMAT, "UNICODE: expected whole \\u escapes, found %s", og_str_show(m->in.text, shown, sizeof(shown)));
	((char *)og_pval_behind(v))[v->text.n] = 0;
	return og_leaf_push(m, v, true);
}
