# What the HTTP binding of CloudEvents 1.0.2 asks of whoever receives events, as examples. The cases are those of the
# conformance suite of CloudEvents (features/http-protocol-binding.feature), and more.
Feature: CloudEvents over HTTP

  Scenario Outline: An event in binary mode with <contentType>
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      CE-SpecVersion: 1.0
      ce-type: com.example.order.placed
      ce-time: 2018-04-05T03:56:24Z
      ce-id: order-1-<n>
      ce-source: /shop/orders
      Content-Type: <contentType>

      { "message": "Hello" }
      """
    Then the attributes are
      | specversion     | 1.0                      |
      | type            | com.example.order.placed |
      | time            | 2018-04-05T03:56:24Z     |
      | id              | order-1-<n>              |
      | source          | /shop/orders             |
      | datacontenttype | <contentType>            |
    And the data are the JSON
      """
      {"message": "Hello"}
      """
    Examples:
      | n | contentType                     |
      | 1 | application/json                |
      | 2 | application/json; charset=utf-8 |
      | 3 | application/vnd.shop+json       |

  Scenario Outline: An event in structured mode as <contentType>
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      Content-Type: <contentType>

      {
        "specversion": "1.0",
        "type": "com.example.order.placed",
        "time": "2018-04-05T03:56:24Z",
        "id": "order-2-<n>",
        "source": "/shop/orders",
        "datacontenttype": "application/json",
        "data": { "message": "Hello" }
      }
      """
    Then the attributes are
      | specversion     | 1.0                      |
      | type            | com.example.order.placed |
      | time            | 2018-04-05T03:56:24Z     |
      | id              | order-2-<n>              |
      | source          | /shop/orders             |
      | datacontenttype | application/json         |
    And the data are the JSON
      """
      {"message": "Hello"}
      """
    Examples:
      | n | contentType                                 |
      | 1 | application/cloudevents+json                |
      | 2 | application/cloudevents+json; charset=utf-8 |
      | 3 | Application/CloudEvents+JSON                |

  Scenario: Header values are percent-encoded UTF-8
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      ce-specversion: 1.0
      ce-type: com.example.order.placed
      ce-id: order-3
      ce-source: /shop/orders
      ce-subject: Euro%20%E2%82%AC%20%F0%9F%98%80
      ce-quoted: "in quotes, with a \"mark\" and 100%25"
      ce-plus: a+b
      Content-Type: application/json

      1
      """
    Then the attributes are
      | subject | Euro € 😀                               |
      | quoted  | in quotes, with a "mark" and 100%       |
      | plus    | a+b                                     |
    And the data are the JSON
      """
      1
      """

  Scenario Outline: The value <value> of a header is refused
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      ce-specversion: 1.0
      ce-type: com.example.order.placed
      ce-id: order-4
      ce-source: /shop/orders
      ce-subject: <value>
      Content-Type: application/json

      {}
      """
    Then it is refused at "ce-subject"
    Examples:
      | value     |
      | %C0%A0    |
      | %E2%82    |
      | 100%      |
      | %zz       |
      | "open     |
      | %ED%A0%80 |
      | %00       |

  Scenario: Text is data of its own media type
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      ce-specversion: 1.0
      ce-type: com.example.order.placed
      ce-id: order-5
      ce-source: /shop/orders
      Content-Type: application/xml

      <order id="5"/>
      """
    Then the attributes are
      | datacontenttype | application/xml |
    And the data are the JSON
      """
      "<order id=\"5\"/>"
      """

  Scenario: An event without data
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      ce-specversion: 1.0
      ce-type: com.example.order.placed
      ce-id: order-6
      ce-source: /shop/orders
      Content-Length: 0

      """
    Then the attributes are
      | id | order-6 |
    And there are no data

  Scenario Outline: An event without <attribute> is refused
    Given the request
      """
      POST /v1/events HTTP/1.1
      Host: stele.example
      <headers>
      Content-Type: application/json

      {}
      """
    Then it is refused at "<attribute>"
    Examples:
      | attribute      | headers                                                                   |
      | ce-specversion | ce-type: a;ce-id: b;ce-source: c                                          |
      | ce-type        | ce-specversion: 1.0;ce-id: b;ce-source: c                                 |
      | ce-id          | ce-specversion: 1.0;ce-type: a;ce-source: c                               |
      | ce-source      | ce-specversion: 1.0;ce-type: a;ce-id: b                                   |
      | ce-specversion | ce-specversion: 0.3;ce-type: a;ce-id: b;ce-source: c                      |
      | ce-under_score | ce-specversion: 1.0;ce-type: a;ce-id: b;ce-source: c;ce-under_score: x    |
      | ce-id          | ce-specversion: 1.0;ce-type: a;ce-id: b;ce-id: b;ce-source: c             |
