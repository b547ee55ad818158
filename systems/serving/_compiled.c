/* Reading and classifying images without an object for each number: `usual` of `pixels.py` and `predictions` of `model.py`. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { PIXELS = 64, HIDDEN = 64, LABELS = 10 };
enum { BRIGHTEST = 16, MOST_DIGITS = 15 }; /* whole numbers of 15 digits are exact in a double */

static const double TENS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

static int is_digit(const char *at, const char *end) { return at < end && *at >= '0' && *at <= '9'; }

/* A number such as 0, 7.0 or 12.25. Its digits and the power of ten are both exact, so their quotient is the double nearest to the
   number (Clinger, "How to Read Floating Point Numbers Accurately", PLDI 1990). Returns its end, NULL for any other form. */
static const char *number(const char *at, const char *end, double *value)
{
    if (!is_digit(at, end))
        return NULL;
    uint64_t digits = (uint64_t)(*at++ - '0');
    int count = 1, decimals = 0;
    if (digits && is_digit(at, end)) { /* JSON has no leading zeros */
        digits = digits * 10 + (uint64_t)(*at++ - '0');
        count++;
    }
    if (at < end && *at == '.') {
        at++;
        if (!is_digit(at, end))
            return NULL;
        for (; is_digit(at, end); at++, decimals++) {
            if (count++ == MOST_DIGITS)
                return NULL;
            digits = digits * 10 + (uint64_t)(*at - '0');
        }
    }
    *value = decimals ? (double)digits / TENS[decimals] : (double)digits;
    return *value <= BRIGHTEST ? at : NULL;
}

static const char *skip(const char *at, const char *end, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(end - at) < size || memcmp(at, text, size) != 0)
        return NULL;
    at += size;
    return at < end && *at == ' ' ? at + 1 : at; /* as Python's json writes it */
}

/* Whatever is not of the usual form is left to the JSON decoder, so that there is one that decides what is wrong with it. */
static PyObject *usual(PyObject *module, PyObject *body)
{
    (void)module;
    if (!PyBytes_Check(body))
        return PyErr_Format(PyExc_TypeError, "a body is bytes");
    const char *at = PyBytes_AS_STRING(body), *end = at + PyBytes_GET_SIZE(body);
    double row[PIXELS];
    at = skip(at, end, "{\"pixels\":");
    at = at ? skip(at, end, "[") : NULL;
    for (int pixel = 0; at && pixel < PIXELS; pixel++) {
        at = number(at, end, &row[pixel]);
        if (at && pixel < PIXELS - 1)
            at = skip(at, end, ",");
    }
    if (!at || end - at != 2 || memcmp(at, "]}", 2) != 0)
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)row, sizeof row);
}

/* The network, layer by layer, as PyTorch has its weights: a row for each output. */

typedef double Lanes __attribute__((vector_size(64), aligned(8), may_alias)); /* as many registers as the processor needs */

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("default", "avx2,fma", "avx512f")))
#else
#define FOR_EACH_PROCESSOR
#endif

static inline __attribute__((always_inline)) double dot(const double *a, const double *b)
{
    const Lanes *x = (const Lanes *)a, *y = (const Lanes *)b;
    Lanes sum = x[0] * y[0];
    for (int i = 1; i < 8; i++)
        sum += x[i] * y[i];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

/* Outputs of a layer with 64 inputs, for each row of inputs. */
FOR_EACH_PROCESSOR static void layer(const double *inputs, Py_ssize_t rows, const double *weights, int outputs, double *made)
{
    for (int output = 0; output < outputs; output++) {
        const double *weight = weights + output * 64, bias = weights[outputs * 64 + output];
        for (Py_ssize_t row = 0; row < rows; row++)
            made[row * outputs + output] = dot(inputs + row * 64, weight) + bias;
    }
}

/* The largest of the softmax of some scores, and which it is; not a number if one of them is not, or is infinite. */
static double largest(const double *scores, int *label)
{
    *label = 0;
    for (int i = 1; i < LABELS; i++)
        if (scores[i] > scores[*label])
            *label = i;
    double sum = 0;
    for (int i = 0; i < LABELS; i++)
        sum += exp(scores[i] - scores[*label]);
    if (isnan(sum))
        *label = 0; /* as PyTorch answers: all are nan, and the first is taken */
    return 1 / sum;
}

static PyObject *predictions(PyObject *module, PyObject *arguments)
{
    (void)module;
    PyObject *rows, *make, *answers = NULL;
    Py_buffer weights;
    if (!PyArg_ParseTuple(arguments, "O!y*O", &PyList_Type, &rows, &weights, &make))
        return NULL;
    Py_ssize_t count = PyList_GET_SIZE(rows);
    void *memory = PyMem_Calloc((size_t)count + 1, (PIXELS + HIDDEN + LABELS) * sizeof(double));
    double *images = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63); /* no load across two lines of the cache */
    double *hidden = images + count * PIXELS, *scores = hidden + count * HIDDEN;
    if (!memory) {
        PyErr_NoMemory();
        goto done;
    }
    if (weights.len != (PIXELS * HIDDEN + HIDDEN + HIDDEN * LABELS + LABELS) * (Py_ssize_t)sizeof(double)) {
        PyErr_SetString(PyExc_ValueError, "weights of another network");
        goto done;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *row = PyList_GET_ITEM(rows, i);
        if (!PyBytes_Check(row) || PyBytes_GET_SIZE(row) != PIXELS * (Py_ssize_t)sizeof(double)) {
            PyErr_SetString(PyExc_ValueError, "a row that is not one image");
            goto done;
        }
        memcpy(images + i * PIXELS, PyBytes_AS_STRING(row), PIXELS * sizeof(double));
    }
    for (Py_ssize_t i = 0; i < count * PIXELS; i++)
        images[i] /= BRIGHTEST;
    const double *layers = weights.buf;
    layer(images, count, layers, HIDDEN, hidden);
    for (Py_ssize_t i = 0; i < count * HIDDEN; i++)
        hidden[i] = hidden[i] < 0 ? 0 : hidden[i]; /* nan stays */
    layer(hidden, count, layers + PIXELS * HIDDEN + HIDDEN, LABELS, scores);
    if (!(answers = PyList_New(count)))
        goto done;
    for (Py_ssize_t i = 0; i < count; i++) {
        int label;
        double score = rint(largest(scores + i * LABELS, &label) * 1e4) / 1e4;
        PyObject *fields[] = {PyLong_FromLong(label), PyFloat_FromDouble(score)};
        PyObject *answer = fields[0] && fields[1] ? PyObject_Vectorcall(make, fields, 2, NULL) : NULL;
        Py_XDECREF(fields[0]);
        Py_XDECREF(fields[1]);
        if (!answer) {
            Py_CLEAR(answers);
            goto done;
        }
        PyList_SET_ITEM(answers, i, answer);
    }
done:
    PyMem_Free(memory);
    PyBuffer_Release(&weights);
    return answers;
}

static PyMethodDef methods[] = {
    {"predictions", predictions, METH_VARARGS, "See model.py."},
    {"usual", usual, METH_O, "See pixels.py."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_compiled", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled(void) { return PyModule_Create(&definition); }
